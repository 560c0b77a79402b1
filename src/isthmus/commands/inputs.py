"""The files that a study is made of, so that none of them is written over."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from isthmus.errors import SpecError
from isthmus.study.spec import Study


def refuse_inputs(path: Path, study: Study, study_file: Path, shown: Path) -> None:
    """Raises SpecError where ``path``, said as ``shown``, is a study file or a file that ``study`` names.

    For where relative names mean what they mean to the study.
    """
    if is_input(path, study, study_file):
        raise SpecError(f"--output {shown} is a file that a study is made of: choose another place.")


def is_input(path: Path, study: Study, study_file: Path) -> bool:
    """Is ``path`` a study file or a file that ``study`` names?"""
    if not path.is_file():
        return False
    return path.suffix in (".yaml", ".yml") or any(_same(path, each) for each in (study_file, *_named(study)))


def _named(study: Study) -> Iterator[Path]:
    """Whatever a study names, as if all of it were files."""

    def texts(value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for each in (*value, *value.values()) if isinstance(value, dict) else value:
                yield from texts(each)

    return (Path(text) for text in texts(study.model_dump(mode="json")))


def _same(path: Path, other: Path) -> bool:
    with suppress(OSError, ValueError, RuntimeError):  # not there, no name of a file, or of nobody's home
        return path.samefile(other.expanduser())
    return False
