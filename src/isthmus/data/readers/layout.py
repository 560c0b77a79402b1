"""Which column of a file holds what: as told, or guessed from the names in use for data sets of each kind."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from isthmus.data.readers.delimited import Grid
from isthmus.data.readers.text import at
from isthmus.data.schema import Kind
from isthmus.errors import DataError, SpecError, nearest
from isthmus.languages import known, language

#: Where a column is: its name in the header, or its number, counted from 1, in a file without a header.
Columns = Mapping[str, str | int]

#: What a row of each kind is made of.
ROLES: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.TAGGING: ("tokens", "tags"),
        Kind.PAIR: ("text", "text_pair", "label"),
        Kind.SEQUENCE: ("text", "label"),
        Kind.BITEXT: ("source", "target"),
    }
)
#: What it may have besides.
EXTRAS = ("id", "group")

_LABEL = (
    "label labels goldlabel class category intent sentiment polarity topic relation entailmentjudgment judgment "
    "isduplicate isparaphrase quality tag target"
)
#: Names in use for each role, the likeliest first; case, spaces, hyphens and underscores are ignored.
_NAMES: Mapping[Kind, Mapping[str, str]] = {
    Kind.TAGGING: {
        "tokens": "tokens words forms sentence",
        "tags": "tags nertags postags upos slots labels",
    },
    Kind.PAIR: {
        "text": "premise sentence1 sent1 text1 texta sentencea sentence_a #1string string1 s1 question1 question query "
        "context text",
        "text_pair": "hypothesis hypo sentence2 sent2 text2 textb sentenceb #2string string2 s2 question2 passage "
        "answer sentence textpair",
        "label": _LABEL,
    },
    Kind.SEQUENCE: {
        "text": "text sentence utterance utt content document review tweet headline comment message question query "
        "input sent",
        "label": _LABEL,
    },
    Kind.BITEXT: {"source": "source src sourcetext foreign", "target": "target tgt trg targettext"},
}
_ID = "id uid guid idx index indexid pairid exampleid sentid sentenceid"


@dataclass(frozen=True)
class Layout:
    """Where each role of a kind is in a file.

    Attributes:
        columns: role -> position, counted from 0; ``id`` is there where a column seems to hold ids.
        header: the names in the first row, or none.
    """

    kind: Kind
    columns: Mapping[str, int]
    header: tuple[str, ...] | None


def check_columns(columns: Columns, kind: Kind | None) -> None:
    """Refuse roles that the kind has not, and a mixture of names and numbers. Raises SpecError."""
    roles = {role for each in ([kind] if kind else ROLES) for role in ROLES[each]}
    for role, where in columns.items():
        if role not in roles and role not in EXTRAS:
            raise SpecError(
                f"columns names {role!r}, which {f'a {kind} task has not' if kind else 'no task has'}: "
                f"{nearest(role, [*roles, *EXTRAS])}"
            )
        if isinstance(where, bool) or (isinstance(where, int) and where < 1):
            raise SpecError(f"columns[{role!r}] is {where!r}: give a name of the header, or a number counted from 1.")
    if len({isinstance(where, int) for where in columns.values()}) > 1:
        raise SpecError("columns must give names for all columns, or numbers for all where the file has no header.")


def wanted(kinds: Iterable[Kind]) -> str:
    """The roles of each of ``kinds``, in words."""
    return " or ".join(f"{', '.join(ROLES[kind])} ({kind})" for kind in kinds)


def layout_of(path: Path, grid: Grid, kinds: Sequence[Kind], columns: Columns) -> Layout:
    """The layout of a grid of cells, as the first of ``kinds`` that fits.

    Raises:
        DataError: a column that is told is not there, or what the columns hold cannot be told.
    """
    if any(isinstance(where, int) for where in columns.values()):
        return _by_number(path, grid, kinds, columns)
    header = [name.strip() for name in grid.rows[0]]
    layout = layout_by_name(path, header, kinds, columns)
    if layout is None and not columns:
        layout = _by_position(grid.rows, kinds)
    if layout is None:
        role = ROLES[kinds[0]][0]
        raise at(
            path,
            grid.lines[0],
            f"it is not clear which of the {len(header)} columns hold {wanted(kinds)}; if this line is a header, name "
            f"them: columns={{{role!r}: {header[0][:30]!r}, ...}}, and if not, count them: columns={{{role!r}: 1, "
            "...}. A file without labels cannot be used.",
        )
    return layout


def layout_by_name(path: Path, names: Sequence[str], kinds: Sequence[Kind], columns: Columns) -> Layout | None:
    """The layout by the names of columns, as the first of ``kinds`` that fits; None where none does.

    Raises:
        DataError: a column that is told is not there, or there twice.
    """
    for role, name in columns.items():
        if names.count(str(name)) != 1:
            problem = "more than once" if name in names else f"not there: {nearest(str(name), names)}"
            raise DataError(f"{path}: the column {name!r}, which is to be the {role}, is {problem}")
    told = {role: names.index(str(name)) for role, name in columns.items()}
    for kind in kinds:
        if set(told) <= {*ROLES[kind], *EXTRAS} and (found := _complete(kind, names, told)) is not None:
            return Layout(kind, found, tuple(names))
    return None


def _complete(kind: Kind, names: Sequence[str], told: Mapping[str, int]) -> Mapping[str, int] | None:
    """``told`` with what the usual names add to it; None where a role is still missing."""
    plain = [_plain(name) for name in names]
    found = dict(told)
    for role, usual in _NAMES[kind].items():
        for name in usual.split():
            if role not in found and plain.count(name) == 1 and plain.index(name) not in found.values():
                found[role] = plain.index(name)
    if kind is Kind.BITEXT and len(names) == 2 and not set(found) & {"source", "target"}:
        english = [position for position, name in enumerate(names) if _language(name) == "eng"]
        if len(english) == 1 and all(map(_language, names)):
            return {"source": 1 - english[0], "target": english[0], **found}
    for name in _ID.split():
        if "id" not in found and plain.count(name) == 1 and plain.index(name) not in found.values():
            found["id"] = plain.index(name)
    return found if set(ROLES[kind]) <= set(found) else None


def _by_number(path: Path, grid: Grid, kinds: Sequence[Kind], columns: Columns) -> Layout:
    """The layout of a file without a header whose columns are counted."""
    kind = next((kind for kind in kinds if set(ROLES[kind]) == set(columns) - set(EXTRAS)), None)
    if kind is None:
        raise SpecError(f"columns must number all of {wanted(kinds)}; it numbers {', '.join(columns)}.")
    width = len(grid.rows[0])
    for role, number in columns.items():
        if int(number) > width:
            raise at(path, grid.lines[0], f"there is no column {number} for the {role}: there are {width}.")
    return Layout(kind, {role: int(number) - 1 for role, number in columns.items()}, None)


def _by_position(rows: Sequence[list[str]], kinds: Sequence[Kind]) -> Layout | None:
    """The layout of a file without a header: its columns in the order of the roles.

    The label of the first row must occur again: where it does not, the first row may well be a header. Two columns
    without labels are a bitext only where no other kind could be meant.
    """
    for kind in kinds:
        if len(ROLES[kind]) == len(rows[0]):
            labelled = ROLES[kind][-1] == "label"
            if (not labelled and len(kinds) > 1) or (
                labelled and not any(row[-1] == rows[0][-1] for row in itertools.islice(rows, 1, None))
            ):
                return None
            return Layout(kind, {role: position for position, role in enumerate(ROLES[kind])}, None)
    return None


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _language(name: str) -> str:
    """The ISO 639-3 code of a language's code or English name; empty for anything else."""
    for fact in known():
        if fact.name.casefold() == name.casefold():
            return fact.iso639_3
    try:
        return language(name).iso639_3
    except SpecError:
        return ""
