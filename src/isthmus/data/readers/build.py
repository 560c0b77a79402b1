"""Cells as the rows of a kind: what each kind makes of what a file has for its roles, and what it refuses."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from isthmus.data.readers import answers, choices
from isthmus.data.readers.cells import Cells, check_text, not_composed, with_ids, without
from isthmus.data.readers.options import LabelBase, Options
from isthmus.data.readers.rows import Note, Reading, Rows, Sentences, Texts, Values, check_withheld
from isthmus.data.readers.text import at
from isthmus.data.schema import CANDIDATES, Kind
from isthmus.errors import DataError

_LISTS = ("tokens", "tags", "choices", "answers", "targets", "answer_starts")
#: What may be empty: a query may have no target, a question no answer.
_MAY_BE_EMPTY = ("target", "target_context", "targets", "answers")


def rows_of(cells: Cells, options: Options, candidates: bool = False) -> Rows:
    """The rows that ``cells`` make; with ``candidates``, what the queries of a kind are looked for among.

    Raises:
        DataError: a value is missing, empty, of another type or no Unicode, an id repeats that was to be unique, all
            labels seem to be withheld, or what a kind asks for is not so.
    """
    cells = without(with_ids(cells), options.drop)
    if not cells.lines:
        raise DataError(f"{cells.path}: no row is left.")
    made = _candidates(cells) if candidates else _MAKERS.get(cells.kind, _plain)(cells, options)
    values = made.cells.values
    _check(made.cells, candidates)
    texts = [
        column if not isinstance(column[0], list) else [" ".join(map(str, items)) for items in column]
        for role, column in values.items()
        if role not in ("id", "group", "label", "tags", "answer", "answer_starts", "targets")
    ]
    noted = made.cells.with_values(values, not_composed(texts))
    reading = Reading(noted.form, noted.places, len(noted.lines), noted.notes)
    rows = Rows(noted.path, noted.kind, dict(values), noted.lines, reading, made.base)
    check_withheld(rows)
    return rows


class _Made(NamedTuple):
    """Cells whose values are those of the kind, and what the answers of a choice were counted from."""

    cells: Cells
    base: LabelBase | None = None


def _plain(cells: Cells, options: Options) -> _Made:
    """Texts and lists of texts; labels by the options' spelling."""
    values: Values = {role: cells.lists(role) if role in _LISTS else cells.texts(role) for role in cells.values}
    if options.labels and "label" in values:
        values["label"] = [options.labels.get(label, label) for label in values["label"]]
    return _Made(cells.with_values(values))


def _tagging(cells: Cells, options: Options) -> _Made:
    """Tokens and tags, as many of the one as of the other."""
    cells = _plain(cells, options).cells
    tokens: Sentences = cells.values["tokens"]
    values, notes = dict(cells.values), []
    prefix = options.token_prefix
    if prefix and all(token.startswith(prefix) for sentence in tokens for token in sentence):
        values["tokens"] = [[token.removeprefix(prefix) for token in sentence] for sentence in tokens]
        notes.append(Note(sum(map(len, tokens)), f"tokens without the prefix {prefix!r} that all of them have"))
    if "tags" in values:
        joined = sum(map(_is_joined, {tag for tags in values["tags"] for tag in tags}))
        if joined:
            joined = sum(_is_joined(tag) for tags in values["tags"] for tag in tags)
            values["tags"] = [
                [tag.partition(",")[0] if _is_joined(tag) else tag for tag in tags] for tags in values["tags"]
            ]
        if options.labels:
            values["tags"] = [[options.labels.get(tag, tag) for tag in tags] for tags in values["tags"]]
        notes.append(Note(joined, "tokens with several tags joined by commas, of which the first is taken"))
    for row, line in enumerate(cells.lines):
        words, tags = values["tokens"][row], values.get("tags", tokens)[row]
        if len(words) != len(tags):
            raise at(cells.path, line, f"there are {len(words)} tokens but {len(tags)} tags.")
        if "tags" in values and not all(tag.strip() for tag in tags):
            raise at(cells.path, line, "a tag is empty.")
    return _Made(cells.with_values(values, *notes))


def _is_joined(tag: str) -> bool:
    """Are these several tags, as in ``B-person,B-location``?"""
    return "," in tag and all(one == "O" or one[:2] in ("B-", "I-") for one in tag.split(","))


def _span(cells: Cells, options: Options) -> _Made:
    """Questions about contexts, grouped by context, with the answers where they stand."""
    values: Values = {role: cells.texts(role) for role in ("id", "question", "context")}
    values["group"] = cells.texts("group") if "group" in cells.values else groups(values["context"])
    if not options.labelled:
        return _Made(cells.with_values(values))
    found = answers.find_answers(cells, values["context"], options.lost_answers == "drop")
    keep = [row is not None for row in found.rows]
    if not any(keep):
        raise DataError(f"{cells.path}: not one question has an answer that stands in its context.")
    pairs = [row for row in found.rows if row is not None]
    kept = cells.with_values(values, *found.notes).where(keep)
    texts, starts = [texts for texts, _ in pairs], [starts for _, starts in pairs]
    return _Made(kept.with_values({**kept.values, "answers": texts, "answer_starts": starts}))


def groups(contexts: Texts) -> list[str]:
    """A name for each distinct context, by its number among them: the same in nested files and in flat ones."""
    numbers = {context: number for number, context in enumerate(dict.fromkeys(contexts), 1)}
    return [f"paragraph {numbers[context]}" for context in contexts]


def _choice(cells: Cells, options: Options) -> _Made:
    """Choices and the position of the right one."""
    values: Values = {role: cells.texts(role) for role in ("id", "group", "text", "question") if role in cells.values}
    found = choices.find_choices(cells)
    values.setdefault("question", [""] * len(cells.lines))
    values["choices"] = found.texts
    if not options.labelled:
        return _Made(cells.with_values(values))
    right = choices.find_answers(cells, found, options.label_base)
    return _Made(cells.with_values({**values, "answer": right.positions}), right.base)


def _candidates(cells: Cells) -> _Made:
    """What queries are looked for among: texts, each with the paragraph it stands in, or none."""
    values: Values = {role: cells.texts(role) for role in cells.values if role in CANDIDATES.names}
    values.setdefault("context", [""] * len(cells.lines))
    return _Made(cells.with_values(values))


_MAKERS: Mapping[Kind, Callable[[Cells, Options], _Made]] = {
    Kind.TAGGING: _tagging,
    Kind.SPAN: _span,
    Kind.CHOICE: _choice,
}


def _check(cells: Cells, candidates: bool) -> None:
    """Refuse texts that are empty where that makes no sense, or are no Unicode."""
    empty = {*_MAY_BE_EMPTY, *({"context"} if candidates else ()), *({"question"} if cells.kind is Kind.CHOICE else ())}
    for role, column in cells.values.items():
        if role == "choices":
            for number in range(max(map(len, column))):
                has = cells.where([len(row) > number for row in column])
                check_text(has, f"choice {number + 1}", [row[number] for row in has.values["choices"]])
        elif role in _LISTS and role != "answer_starts":
            check_text(cells, role, ["".join(items) for items in column], role in empty)
        elif role not in ("answer", "answer_starts"):
            check_text(cells, role, column, role in empty)
