"""Where an installed package keeps its files, without importing it."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from isthmus.errors import MissingPackage

#: The name under which a module is installed, where it differs.
_DISTRIBUTIONS = {"home_assistant_intents": "home-assistant-intents"}


def package_folder(module: str, purpose: str) -> Path:
    """The folder of the package ``module``. ``purpose`` begins the sentence about its absence.

    Raises:
        MissingPackage: it is not installed.
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackage(_DISTRIBUTIONS.get(module, module), purpose, extra="quickstart")
    return Path(next(iter(spec.submodule_search_locations)))


def package_version(module: str, purpose: str) -> str:
    """The installed version of the package ``module``.

    Raises:
        MissingPackage: it is not installed.
    """
    name = _DISTRIBUTIONS.get(module, module)
    try:
        return version(name)
    except PackageNotFoundError:
        raise MissingPackage(name, purpose, extra="quickstart") from None
