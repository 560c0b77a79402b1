"""Any plain file as rows of a kind: the format by the file's name or its first lines, the columns by theirs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from isthmus.data.readers.build import rows_of
from isthmus.data.readers.cells import Cells
from isthmus.data.readers.conll import read_conll
from isthmus.data.readers.delimited import read_delimited
from isthmus.data.readers.guess import CELLS, format_of, is_search
from isthmus.data.readers.jsonl import Objects, read_json, read_jsonl
from isthmus.data.readers.layout import NO_LABELS, OPTIONAL, Layout, check_columns, layout_by_name, layout_of, wanted
from isthmus.data.readers.options import Options, Place
from isthmus.data.readers.parallel import read_lines, read_parallel
from isthmus.data.readers.rows import Note, Rows
from isthmus.data.readers.search import with_targets
from isthmus.data.readers.text import at
from isthmus.data.readers.winograd import read_xwinograd
from isthmus.data.schema import SEARCHING, Kind
from isthmus.errors import DataError, SpecError, nearest

#: The kinds that objects can hold, in the order they are tried.
_OBJECTS = (Kind.SPAN, Kind.CHOICE, Kind.TAGGING, *CELLS[2:])


def read_rows(place: Place, kind: Kind | None = None, options: Options | None = None) -> Rows:
    """The rows of ``place``; what is not told is guessed.

    Args:
        place: a file. Or two: texts that translate each other line by line; rows and their labels, one a line; queries
            (of mining and ranking) and their candidates, whose rows `read_candidates` gives.
        kind: guessed from the names of the columns where None.
        options: how the file is read, where that does not show.

    Raises:
        SpecError: the arguments contradict each other.
        DataError: the file is unreadable, malformed, or not of this kind; the message names the line.
    """
    options = (options or Options()).settled()
    check_columns(options.columns, kind)
    if not isinstance(place, tuple):
        if kind in SEARCHING and options.labelled:
            raise SpecError(f"{place}: a {kind} task needs two files, the queries and their candidates.")
        return rows_of(_cells(place, kind, options), options)
    first, second = place
    if kind in SEARCHING or (kind is None and is_search(first, second)):
        return _queries(first, second, kind, options)
    if kind is Kind.BITEXT or (kind is None and not _is_labels(second)):
        return rows_of(_parallel(first, second, options), options)
    return rows_of(_with_labels(first, second, kind, options), options)


def read_candidates(place: Place, kind: Kind, options: Options | None = None) -> Rows:
    """The candidates of queries: the second file of ``place``, with the columns ``id``, ``text``, ``context``.

    Raises:
        SpecError: there is no second file.
        DataError: as `read_rows` does; the ids must be there and unique.
    """
    if not isinstance(place, tuple):
        raise SpecError(f"{place}: a {kind} task needs two files, the queries and their candidates.")
    return _candidates(place[1], kind, options or Options())


def _cells(path: Path, kind: Kind | None, options: Options) -> Cells:
    """What one file holds."""
    form = options.form or format_of(path, kind, options)
    if form in ("conll", "conllu"):
        return _conll(path, kind, options, form == "conllu")
    if form == "text":
        return _text(path, kind, options)
    if form in ("csv", "tsv"):
        return _table(path, kind, options, form)
    if form == "xwinograd":
        return _objects(read_xwinograd(path), kind or Kind.CHOICE, options)
    return _objects((read_jsonl if form == "jsonl" else read_json)(path), kind, options)


def _table(path: Path, kind: Kind | None, options: Options, form: Literal["csv", "tsv"]) -> Cells:
    """The cells of a CSV or TSV."""
    if kind is Kind.TAGGING or "tokens" in options.columns:
        raise SpecError(f"{path}: a tagging task is read from CoNLL or JSON Lines, not from {form.upper()}.")
    if kind in SEARCHING:
        raise SpecError(f"{path}: a {kind} task is read from JSON Lines, not from {form.upper()}.")
    narrow = kind is Kind.TEXT or not options.labelled
    delimiter: Literal[",", "\t"] = "," if form == "csv" else "\t"
    grid = read_delimited(path, delimiter, options.quoting, narrow, options.short_lines == "drop")
    layout = layout_of(path, grid, CELLS if kind is None else (kind,), options.columns, options.labelled)
    header = layout.header
    columns, lines = grid.columns, grid.lines
    if header is not None:
        columns, lines = [column[1:] for column in columns], lines[1:]
    if not lines:
        raise at(path, grid.lines[0], "there is a header but not one row.")
    if "choices" in layout.columns:
        raise SpecError(f"{path}: choices in {form.upper()} need a column each: columns={{'choice1': ..., ...}}.")
    values = {role: columns[position] for role, position in layout.columns.items()}
    values.pop("impossible", None)
    places = {
        role: f"column {position + 1}" if header is None else repr(header[position])
        for role, position in layout.columns.items()
    }
    how = f"{form.upper()} {'without' if header is None else 'with'} a header"
    how += ", quotation marks as in CSV" if grid.quoted else ", quotation marks literal"
    cells = Cells(path, layout.kind, values, lines, how, places, "id" in options.columns)
    cells = cells.with_values(values, Note(grid.short, "lines passed over that have fewer columns than the first"))
    wanted_columns = [(_position(path, name, header, len(columns)), value) for name, value in options.only.items()]
    return _only(cells, [(columns[position], value) for position, value in wanted_columns])


def _position(path: Path, name: str | int, header: Sequence[str] | None, width: int) -> int:
    """The position of a column that is named, or numbered from 1."""
    if isinstance(name, int) and 1 <= name <= width:
        return name - 1
    if header is None or name not in header:
        raise DataError(f"{path}: there is no column {name!r} to choose rows by: {nearest(str(name), header or ())}")
    return header.index(str(name))


def _only(cells: Cells, wanted: Sequence[tuple[Sequence[Any], str]]) -> Cells:
    """The rows that have all of the values wanted."""
    for column, value in wanted:
        keep = [one == value for one in column]
        if not any(keep):
            raise DataError(f"{cells.path}: no row has {value!r} where rows are chosen by it.")
        cells = cells.where(keep)
        wanted = [([one for one, kept in zip(other, keep, strict=True) if kept], said) for other, said in wanted]
    return cells


def _objects(objects: Objects, kind: Kind | None, options: Options) -> Cells:
    """The cells of JSON objects; the columns are chosen by the keys of the first object."""
    path, columns = objects.path, options.columns
    if any(isinstance(name, int) for name in columns.values()):
        raise SpecError(f"{path}: JSON Lines has no numbered columns: give the names of its keys.")
    names = objects.names()
    kinds = (kind,) if kind else (Kind.SPAN,) if objects.nested else _OBJECTS
    layout = layout_by_name(path, names, kinds, columns, options.labelled, objects.lists())
    if layout is None:
        raise _unclear(objects, kinds, options)
    return _only(
        _of_layout(objects, layout, names, options), [(objects.values(str(k)), v) for k, v in options.only.items()]
    )


def _of_layout(objects: Objects, layout: Layout, names: Sequence[str], options: Options) -> Cells:
    found = {role: names[position] for role, position in layout.columns.items()}
    optional = OPTIONAL.get(layout.kind, ())
    values = {
        role: objects.optional(name) if role in optional or (role == "id" and "id" not in options.columns)
        else objects.values(name)
        for role, name in found.items()
    }  # fmt: skip
    if layout.kind is Kind.SPAN and "answers" in values and any(value is None for value in values["answers"]):
        values["answers"] = [[] if value is None else value for value in values["answers"]]
    if layout.kind is Kind.CHOICE and "question" in values:
        values["question"] = ["" if value is None else value for value in values["question"]]
    places = {role: repr(name) for role, name in found.items()}
    own = "id" in options.columns or layout.kind in SEARCHING
    return Cells(objects.path, layout.kind, values, objects.lines, objects.form, places, own)


def _unclear(objects: Objects, kinds: Sequence[Kind], options: Options) -> DataError:
    """The error that it cannot be told which keys hold what."""
    beside = [path.name for path in objects.path.parent.glob(f"{objects.path.stem}-labels.*")]
    hint = f" Its labels may be in {beside[0]}: name both files." if beside else ""
    hint = (NO_LABELS if options.labelled else "") + hint
    return at(
        objects.path,
        objects.lines[0],
        f"it is not clear which of the keys {', '.join(objects.rows[0]) or '(none)'} hold "
        f"{wanted(kinds, options.labelled)}; name them in columns={{role: key, ...}}.{hint}",
    )


def _conll(path: Path, kind: Kind | None, options: Options, universal: bool) -> Cells:
    """Sentences of a CoNLL or CoNLL-U file; or their comments, for a sequence task."""
    columns = options.columns
    if kind is Kind.SEQUENCE or (kind is None and "label" in columns):
        return _comments(path, options, universal)
    if kind not in (None, Kind.TAGGING) or not set(columns) <= {"tokens", "tags"}:
        raise SpecError(
            f"{path}: CoNLL holds tokens and tags: it makes a tagging task, or of comments a sequence task, and no "
            "other."
        )
    if any(isinstance(number, str) for number in columns.values()):
        raise SpecError(
            f"{path}: CoNLL has no header: count its columns from 1, as in columns={{'tokens': 1, 'tags': 2}}."
        )
    token, tag = (cast(int | None, columns.get(role)) for role in ("tokens", "tags"))
    found = read_conll(path, token, tag, universal, options.labelled)
    values: dict[str, list[Any]] = {"tokens": found.tokens}
    places = {"tokens": f"column {found.token_column}"}
    if options.labelled:
        values["tags"], places["tags"] = found.tags, f"column {found.tag_column}"
    if found.ids:
        values["id"], places["id"] = list(found.ids), "sent_id"
    return Cells(path, Kind.TAGGING, values, found.lines, "CoNLL-U" if universal else "CoNLL", places)


def _comments(path: Path, options: Options, universal: bool) -> Cells:
    """Sentences by their comments: ``# text = ...`` and, where it was said which, ``# intent = ...`` as the label."""
    names = {"text": "text", **options.columns}
    if "label" not in names and options.labelled:
        raise SpecError(f"{path}: say which comment is the label: columns={{'label': 'intent'}} for '# intent = ...'.")
    found = read_conll(path, None, None, universal, False)
    values: dict[str, list[Any]] = {"id": list(found.ids)} if found.ids else {}
    for role, name in names.items():
        if role != "label" or options.labelled:
            values[role] = [comments.get(str(name), "") for comments in found.comments]
    places = {role: f"comment {names.get(role, 'sent_id')!r}" for role in values}
    return Cells(path, Kind.SEQUENCE, values, found.lines, "CoNLL", places, "id" in options.columns)


def _text(path: Path, kind: Kind | None, options: Options) -> Cells:
    """Texts one a line."""
    if kind not in (None, Kind.TEXT) or options.columns:
        raise SpecError(f"{path}: a plain text has no columns and no labels: it makes a text task and no other.")
    found = read_lines(path)
    values = {"text": list(found.texts)} | ({"group": list(found.documents)} if found.documents else {})
    places = {"text": "line"} | ({"group": "documents apart by empty lines"} if found.documents else {})
    return Cells(path, Kind.TEXT, values, found.lines, "plain text", places)


def _parallel(source: Path, target: Path, options: Options) -> Cells:
    """Rows of two aligned files."""
    if options.columns:
        raise SpecError(f"{source}: two files line by line are a bitext, and have no columns to name.")
    found = read_parallel(source, target)
    values = {"source": list(found.source), "target": list(found.target)}
    places = {"source": source.name, "target": target.name}
    return Cells(source, Kind.BITEXT, values, range(1, len(found.source) + 1), "two texts, line by line", places)


def _is_labels(path: Path) -> bool:
    return path.suffix in (".lst", ".labels") or path.stem.endswith("labels")


def _with_labels(path: Path, labels: Path, kind: Kind | None, options: Options) -> Cells:
    """The rows of a file without labels, and their labels, one a line of another file."""
    from dataclasses import replace

    cells = _cells(path, kind, replace(options, labelled=False))
    role = {Kind.CHOICE: "answer", Kind.PAIR: "label", Kind.SEQUENCE: "label"}.get(cells.kind)
    if role is None:
        raise SpecError(f"{labels}: labels in a file of their own go with sequence, pair and choice tasks.")
    if not options.labelled:
        return cells
    found = read_lines(labels)
    if len(found.texts) != len(cells.lines):
        raise DataError(f"{path} has {len(cells.lines)} rows but {labels} has {len(found.texts)} labels, one a line.")
    return replace(
        cells,
        values={**cells.values, role: [label.strip() for label in found.texts]},
        places={**cells.places, role: f"lines of {labels.name}"},
    )


def _queries(path: Path, candidates: Path, kind: Kind | None, options: Options) -> Rows:
    """Queries whose targets are among the candidates."""
    objects = read_json(path)
    if kind is None:
        names = layout_by_name(path, objects.names(), (Kind.RANKING,), options.columns)
        targets = objects.values(objects.names()[names.columns["targets"]]) if names else []
        kind = Kind.RANKING if all(targets) else Kind.MINING
    cells = _objects(objects, kind, options)
    return rows_of(with_targets(cells, _candidates(candidates, kind, options)) if options.labelled else cells, options)


def _candidates(path: Path, kind: Kind, options: Options) -> Rows:
    """The texts of ``path``, each with an id, and a paragraph where there is a key ``context``."""
    objects = read_json(path)
    for key in ("id", "text"):
        if key not in objects.rows[0]:
            raise at(path, objects.lines[0], f"a candidate needs 'id' and 'text'; there is no {key!r} here.")
    values = {"id": objects.values("id"), "text": objects.values("text")}
    if any("context" in row for row in objects.rows):
        values["context"] = ["" if value is None else value for value in objects.optional("context")]
    places = {role: repr(role) for role in values}
    return rows_of(Cells(path, kind, values, objects.lines, objects.form, places, True), options, candidates=True)
