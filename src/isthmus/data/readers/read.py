"""Any plain file as rows of a kind: the format by the file's name, the columns by theirs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

from isthmus.data.readers.conll import read_conll
from isthmus.data.readers.delimited import Quoting, read_delimited
from isthmus.data.readers.jsonl import read_jsonl
from isthmus.data.readers.layout import ROLES, Columns, Layout, check_columns, layout_by_name, layout_of, wanted
from isthmus.data.readers.parallel import read_parallel
from isthmus.data.readers.rows import Rows, Values, checked_rows
from isthmus.data.readers.text import at, read_text
from isthmus.data.schema import Kind
from isthmus.errors import DataError, SpecError, nearest

Format = Literal["csv", "tsv", "jsonl", "conll", "conllu"]
#: One file, or two that translate each other line by line: the foreign one, then the English one.
Place = Path | tuple[Path, Path]

_FORMATS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".conllu": "conllu",
}
#: The kinds that a table of cells can hold, in the order they are tried.
_CELLS = (Kind.PAIR, Kind.SEQUENCE, Kind.BITEXT)


def read_rows(
    place: Place,
    kind: Kind | None = None,
    columns: Columns | None = None,
    form: Format | None = None,
    quoting: Quoting = "auto",
) -> Rows:
    """The rows of ``place``; what is not told is guessed.

    Args:
        place: a file, or the two files of a bitext.
        kind: guessed from the names of the columns where None.
        columns: role -> name in the header (or key of the JSON objects), or number from 1 where there is no header.
        form: by the file's suffix, or by its first line, where None.
        quoting: of CSV and TSV, see `isthmus.data.readers.delimited`.

    Raises:
        SpecError: the arguments contradict each other.
        DataError: the file is unreadable, malformed, or not of this kind; the message names the line.
    """
    columns = columns or {}
    for name, value, known in (("format", form, Format), ("quoting", quoting, Quoting)):
        if value is not None and value not in get_args(known):
            raise SpecError(f"There is no {name} {value!r}: {nearest(str(value), get_args(known))}")
    check_columns(columns, kind)
    if isinstance(place, tuple):
        return _parallel(place, kind, columns)
    form = form or _format(place, kind)
    if form in ("conll", "conllu"):
        return _conll(place, kind, columns, form == "conllu")
    return _jsonl(place, kind, columns) if form == "jsonl" else _cells(place, kind, columns, form, quoting)


def _format(path: Path, kind: Kind | None) -> Format:
    """The format by the suffix, else by the first line; a table of tokens is CoNLL whatever it is called."""
    form = _FORMATS.get(path.suffix.lower())
    if form in ("jsonl", "conll", "conllu", "csv"):
        return form
    text = read_text(path).strip()
    first = text.partition("\n")[0].removesuffix("\r")
    if form is None and first.startswith("{"):
        return "jsonl"
    sentences = kind is None and ("\n\n" in text or "\n\r\n" in text)
    if kind is Kind.TAGGING or (sentences and layout_by_name(path, first.split("\t"), _CELLS, {}) is None):
        return "conll"
    if form == "tsv" or "\t" in first:
        return "tsv"
    raise DataError(f"{path} does not show its format: give format='csv', 'tsv', 'jsonl', 'conll' or 'conllu'.")


def _cells(path: Path, kind: Kind | None, columns: Columns, form: Format, quoting: Quoting) -> Rows:
    """Rows of a CSV or TSV."""
    if kind is Kind.TAGGING or "tokens" in columns:
        raise SpecError(f"{path}: a tagging task is read from CoNLL or JSON Lines, not from {form.upper()}.")
    grid = read_delimited(path, "," if form == "csv" else "\t", quoting)
    layout = layout_of(path, grid, _CELLS if kind is None else (kind,), columns)
    header = layout.header
    body, lines = (grid.rows, grid.lines) if header is None else (grid.rows[1:], grid.lines[1:])
    if not body:
        raise at(path, grid.lines[0], "there is a header but not one row.")
    values: Values = {role: [row[position] for row in body] for role, position in layout.columns.items()}
    places = {
        role: f"column {position + 1}" if header is None else repr(header[position])
        for role, position in layout.columns.items()
    }
    how = f"{form.upper()} {'without' if header is None else 'with'} a header"
    how += ", quotation marks as in CSV" if grid.quoted else ", quotation marks literal"
    return checked_rows(path, layout.kind, values, lines, how, places, "id" in columns)


def _jsonl(path: Path, kind: Kind | None, columns: Columns) -> Rows:
    """Rows of a JSON Lines file; the columns are chosen by the keys of its first object."""
    if any(isinstance(name, int) for name in columns.values()):
        raise SpecError(f"{path}: JSON Lines has no numbered columns: give the names of its keys.")
    objects = read_jsonl(path)
    first = objects.rows[0]
    layout = _keys(path, first, kind, columns)
    if layout is None:
        roles = wanted((kind,) if kind else ROLES)
        raise at(
            path,
            objects.lines[0],
            f"it is not clear which of the keys {', '.join(first) or '(none)'} hold {roles}; name them in "
            "columns={role: key, ...}. A file without labels cannot be used.",
        )
    names = {role: list(first)[position] for role, position in layout.columns.items()}
    if "id" not in columns and "id" in names:
        key = names["id"]
        if not all(isinstance(row.get(key), str | int) for row in objects.rows):
            del names["id"]
    values: Values = {
        role: objects.lists(name) if role in ("tokens", "tags") else objects.texts(name) for role, name in names.items()
    }
    places = {role: repr(name) for role, name in names.items()}
    return checked_rows(path, layout.kind, values, objects.lines, "JSON Lines", places, "id" in columns)


def _keys(path: Path, first: Mapping[str, Any], kind: Kind | None, columns: Columns) -> Layout | None:
    """The layout of JSON objects: sentences are those whose tokens are a list."""
    keys = list(first)
    if kind is not None:
        return layout_by_name(path, keys, (kind,), columns)
    tagging = layout_by_name(path, keys, (Kind.TAGGING,), columns)
    if tagging is not None and isinstance(first[keys[tagging.columns["tokens"]]], list):
        return tagging
    return layout_by_name(path, keys, _CELLS, columns)


def _conll(path: Path, kind: Kind | None, columns: Columns, universal: bool) -> Rows:
    """Rows of a CoNLL or CoNLL-U file, one a sentence."""
    if kind not in (None, Kind.TAGGING) or not set(columns) <= {"tokens", "tags"}:
        raise SpecError(f"{path}: CoNLL holds tokens and tags: it makes a tagging task and no other.")
    if any(isinstance(number, str) for number in columns.values()):
        raise SpecError(
            f"{path}: CoNLL has no header: count its columns from 1, as in columns={{'tokens': 1, 'tags': 2}}."
        )
    token, tag = (cast(int | None, columns.get(role)) for role in ("tokens", "tags"))
    found = read_conll(path, token, tag, universal)
    values: Values = {"tokens": found.tokens, "tags": found.tags}
    places = {"tokens": f"column {found.token_column}", "tags": f"column {found.tag_column}"}
    if found.ids:
        values["id"], places["id"] = found.ids, "sent_id"
    how = "CoNLL-U" if universal else "CoNLL"
    return checked_rows(path, Kind.TAGGING, values, found.lines, how, places, False)


def _parallel(pair: tuple[Path, Path], kind: Kind | None, columns: Columns) -> Rows:
    """Rows of two aligned files."""
    if kind not in (None, Kind.BITEXT) or columns:
        raise SpecError(f"{pair[0]}: two files line by line are a bitext, and have no columns to name.")
    found = read_parallel(*pair)
    values: Values = {"source": found.source, "target": found.target}
    places = {"source": pair[0].name, "target": pair[1].name}
    lines = range(1, len(found.source) + 1)
    return checked_rows(pair[0], Kind.BITEXT, values, lines, "two texts, line by line", places, False)
