"""Engines start stages. Each only runs ``isthmus stage run stage.json``, somewhere."""

from pathlib import Path
from typing import NamedTuple, Protocol


class Ended(NamedTuple):
    """A stage whose process ended, with its exit status (negative: the signal that killed it).

    ``lost`` says in words what took the process where that was not the stage's doing: a node that went away, a job that
    was pre-empted. The stage is then run again, and that is not counted among its retries.
    """

    key: str
    code: int
    lost: str = ""


class Engine(Protocol):
    """Something that can run stages."""

    @property
    def slots(self) -> int:
        """How many stages it runs at once; that may change."""

    def start(self, key: str, stage_file: Path, log: Path) -> None:
        """Begin the stage described in ``stage_file``; what it prints goes to the end of ``log``."""

    def ended(self, timeout: float) -> list[Ended]:
        """The stages that ended since the last call; waits for at most ``timeout`` seconds for one."""

    def cancel(self, key: str) -> None:
        """End one stage now, as SIGKILL does; it is among those that `ended` gives."""

    def stop(self, patience: float) -> None:
        """Ask what is running to save and stop; after ``patience`` seconds end it. Starts nothing afterwards."""

    def close(self) -> None:
        """Let go of everything the engine holds; ends what still runs."""
