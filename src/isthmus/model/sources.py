"""Finding models by the name a person gives: the embedded one, a folder, or a hub id. Nothing is loaded here."""

import re
from pathlib import Path
from typing import Any

from isthmus.errors import MissingPackage, ModelError
from isthmus.model import embedded
from isthmus.model.layout import folder_fingerprint
from isthmus.plan import ModelSource

_HUB_ID = re.compile(r"^[\w.-]+(/[\w.-]+)?(@[\w./-]+)?$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")


def find_model(name: str) -> ModelSource:
    """What names the weights of the model called ``name``.

    Raises:
        ModelError: there is no such model, folder or hub repository.
        MissingPackage: the embedded model's package is not installed.
    """
    if name == embedded.NAME:
        return ModelSource(name, embedded.identity(), {"embedded": True, "name": name})
    folder = Path(name).expanduser()
    if folder.is_dir():
        return ModelSource(
            name, {"folder": folder_fingerprint(folder)}, {"folder": str(folder.absolute()), "name": name}
        )
    if name.startswith((".", "/", "~")) or not _HUB_ID.match(name):
        raise ModelError(f"There is no model folder {name}.")
    identifier, _, revision = name.partition("@")
    return ModelSource(name, {"hub": identifier, "revision": _commit(identifier, revision or "main")}, {"name": name})


def _commit(identifier: str, revision: str) -> str:
    """The commit that ``revision`` of a hub repository stands for; from the cache when the hub is out of reach."""
    if _COMMIT.match(revision):
        return revision
    try:
        import huggingface_hub
    except ImportError:
        raise MissingPackage("huggingface-hub", "A model from the hub", "hub") from None
    hub: Any = huggingface_hub
    try:
        return str(hub.HfApi().model_info(identifier, revision=revision).sha)
    except Exception as error:  # the library raises many kinds: all of them mean "not from there"
        cached = Path(hub.constants.HF_HUB_CACHE) / f"models--{identifier.replace('/', '--')}" / "refs" / revision
        if cached.is_file():
            return cached.read_text().strip()
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(
            f"There is no model {identifier!r}: it is not '{embedded.NAME}', there is no such folder, and the hub "
            f"gave no revision {revision!r} of it ({reason})."
        ) from None
