"""What a file is, where nobody says: by its name, else by its first lines."""

from collections.abc import Mapping
from pathlib import Path

from isthmus.data.readers.column import is_utf8
from isthmus.data.readers.layout import layout_by_name
from isthmus.data.readers.options import Format, Options
from isthmus.data.readers.text import BOM, decode, read_data, split_lines
from isthmus.data.readers.winograd import COLUMNS
from isthmus.data.schema import Kind
from isthmus.errors import DataError

_FORMATS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".conllu": "conllu",
}
#: The kinds that a table of cells can hold, in the order they are tried.
CELLS = (Kind.SPAN, Kind.CHOICE, Kind.PAIR, Kind.SEQUENCE, Kind.BITEXT)
_OBJECTS = ("jsonl", "json")
#: Lines that are looked at to tell a text from sentences of one token a line.
_LINES = 1000


def format_of(path: Path, kind: Kind | None, options: Options) -> Format:
    """The format by the suffix, else by the first lines; a table of tokens is CoNLL whatever it is called.

    Raises:
        DataError: the file is unreadable, or does not show its format.
    """
    form = _FORMATS.get(path.suffix.lower())
    if form not in (None, "tsv") or (form == "tsv" and kind not in (None, Kind.TAGGING, Kind.CHOICE)):
        return form
    data = read_data(path)
    if form is None or not is_utf8(data):  # decoding says what is wrong
        form = _named_nowhere(path, kind, decode(path, data).strip(" \t\r\n"))
    if form is None or form == "tsv":
        form = _of_table(path, kind, options, data.removeprefix(BOM).strip(b" \t\r\n"), form)
    return form


def _named_nowhere(path: Path, kind: Kind | None, text: str) -> Format | None:
    """The format of a file whose name says nothing, where its content is no table."""
    if kind is Kind.TEXT or (kind is None and path.suffix.lower() == ".txt" and _is_prose(text)):
        return "text"
    return "json" if text.startswith(("{", "[")) and kind is not Kind.TAGGING else None


def _of_table(path: Path, kind: Kind | None, options: Options, text: bytes, form: Format | None) -> Format:
    """The format of a table: of cells apart by tabs, or of tokens, one a line."""
    end = text.find(b"\n")
    first = text[: end if end >= 0 else len(text)].removesuffix(b"\r").decode()
    if kind is Kind.TAGGING:
        return "conll"
    names, columns = first.split("\t"), options.columns
    if kind is None and (columns or layout_by_name(path, names, CELLS, {}) is None):  # else no need to look further
        sentences = b"\n\n" in text or b"\n\r\n" in text or b"\n\t\n" in text
        if sentences and layout_by_name(path, names, CELLS, columns) is None:
            return "conll"
    if kind in (None, Kind.CHOICE) and _is_winograd(first) and not options.columns:
        return "xwinograd"
    if form == "tsv" or "\t" in first:
        return "tsv"
    raise DataError(
        f"{path} does not show its format: give format='csv', 'tsv', 'jsonl', 'json', 'conll', 'conllu' or 'text'."
    )


def _is_prose(text: str) -> bool:
    """Are these lines texts, and not tokens with their tags? There are no tabs, and lines differ in their words."""
    if "\t" in text:
        return False
    lines = [line for line in split_lines(text)[:_LINES] if line.strip()]
    widths = {len(line.split()) for line in lines if not line.startswith("# ")}
    return len(lines) == 1 or not ("\n\n" in text or "\n\r\n" in text) or len(widths) > 1 or widths == {1}


def _is_winograd(first: str) -> bool:
    cells = first.split("\t")
    return len(cells) == COLUMNS and all(cell.startswith("[") and cell.endswith("]") for cell in cells[4:])


def is_search(queries: Path, candidates: Path) -> bool:
    """Are these two files of objects, queries and candidates?"""
    return all(_FORMATS.get(path.suffix.lower()) in _OBJECTS for path in (queries, candidates))
