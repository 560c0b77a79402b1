"""Are the labels of files withheld? Told from their beginning, where that is enough."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from isthmus.data.readers.options import Options
from isthmus.data.readers.rows import Rows
from isthmus.data.sources.layout import Layout, View
from isthmus.errors import DataError, IsthmusError

#: Bytes that are looked at: some hundred rows.
_BEGINNING = 1 << 16
_BY_LINE = ("csv", "tsv", "jsonl", "conll")
#: Over fewer rows it may be chance that all answers are the first choice.
_MANY = 20


def withheld(layout: Layout, files: tuple[Path, ...], view: View) -> bool:
    """Can the files be read only if no labels are asked for? Files that cannot be read at all are not withheld."""
    by_line = isinstance(layout.how, Options) and layout.how.form in _BY_LINE and not layout.how.only
    if not by_line or "+" in layout.path:
        return _withheld(layout, files, view)
    with _beginnings(files) as short:
        return _withheld(layout, short, view)


def _withheld(layout: Layout, files: tuple[Path, ...], view: View) -> bool:
    try:
        check_answers(layout.read(files, view._replace(labelled=True)))
    except DataError:
        return readable(layout, files, view)
    except OSError:
        return False
    return False


def readable(layout: Layout, files: tuple[Path, ...], view: View) -> bool:
    """Can the files be read if no labels are asked for?"""
    try:
        layout.read(files, view._replace(labelled=False))
    except (IsthmusError, OSError):
        return False
    return True


def check_answers(rows: Rows) -> None:
    """Refuse the answers that XTREME's download leaves in place of those it takes away: all 0. Raises DataError."""
    answers = rows.values.get("answer", [])
    if len(answers) >= _MANY and not any(answers):
        raise DataError(f"{rows.path}: every answer is the first choice: they seem to be withheld.")


@contextmanager
def _beginnings(files: tuple[Path, ...]) -> Iterator[tuple[Path, ...]]:
    """Copies of the files that end after some hundred rows; short files as they are."""
    with TemporaryDirectory() as folder:
        short = []
        for number, path in enumerate(files):
            try:
                with path.open("rb") as file:
                    start = file.read(_BEGINNING)
            except OSError:
                start = b""
            if len(start) < _BEGINNING:
                short.append(path)
                continue
            end = start.rfind(b"\n\n") + 2 if b"\n\n" in start else start.rfind(b"\n") + 1
            copy = Path(folder) / str(number) / path.name
            copy.parent.mkdir()
            copy.write_bytes(start[: end or len(start)])
            short.append(copy)
        yield tuple(short)
