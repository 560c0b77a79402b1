"""The one tree of errors that Isthmus raises on purpose.

Every message is a sentence for the person at the keyboard: what is wrong, where (file and line, or field), and
what to do. The command line prints it without a traceback and leaves with the class's exit code.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class IsthmusError(Exception):
    """Something the user can mend. The message is shown as it is."""

    exit_code = 2


class SpecError(IsthmusError):
    """A study, a recipe or an option is malformed."""


class DataError(IsthmusError):
    """A data file or a task's rows are not what they should be."""


class ModelError(IsthmusError):
    """A model cannot be found, loaded or used for this."""


class MissingPackage(IsthmusError):
    """An optional package that this feature needs is not installed."""

    def __init__(self, package: str, purpose: str, extra: str | None = None) -> None:
        install = f"pip install 'isthmus[{extra}]'" if extra else f"pip install {package}"
        super().__init__(f"{purpose} needs the package {package}, which is not installed: run `{install}`.")


class StoreError(IsthmusError):
    """The store is damaged, full, or not writable."""


class ResourceError(IsthmusError):
    """The machine has too little memory or disk for what was asked."""


class StageFailed(IsthmusError):
    """A stage ended without a result."""

    exit_code = 1


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint naming the known words nearest to ``name``, or the known words when none is near."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else ".")
    return f"known: {shown}" if names else "none is known."
