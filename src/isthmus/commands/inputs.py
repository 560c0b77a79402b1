"""The files that a study is made of, so that none of them is written over."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from isthmus.commands.studies_kept import kept_or_named, kept_studies, where_it_was_run
from isthmus.errors import SpecError, StoreError
from isthmus.store import Store
from isthmus.study.spec import Study


def refuse_inputs(path: Path, study: Study, study_file: Path, store: Store, shown: Path) -> None:
    """Raises SpecError where ``path``, said as ``shown``, is a file of ``study`` or of one that the store keeps.

    For where relative names mean what they mean to the study.
    """
    if not path.is_file():
        return
    found = _is_input(path, study, study_file)
    for name, file in kept_studies(store).items():
        with suppress(StoreError, SpecError), where_it_was_run(name, store):  # one that cannot be read names no file
            found = found or _is_input(path, kept_or_named(name, store), file)
    if found:
        raise SpecError(f"--output {shown} is a file that a study is made of: choose another place.")


def _is_input(path: Path, study: Study, study_file: Path) -> bool:
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
