"""Which column of a file holds what: as told, or guessed from the names in use for data sets of each kind."""

import itertools
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from isthmus.data.readers.choices import CHOICE
from isthmus.data.readers.delimited import Grid
from isthmus.data.readers.options import Columns
from isthmus.data.readers.text import at
from isthmus.data.schema import Kind
from isthmus.errors import DataError, SpecError, nearest
from isthmus.languages import known, language

#: What a row of each kind is made of.
ROLES: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.SPAN: ("context", "question", "answers"),
        Kind.CHOICE: ("text", "choices", "answer"),
        Kind.TAGGING: ("tokens", "tags"),
        Kind.PAIR: ("text", "text_pair", "label"),
        Kind.SEQUENCE: ("text", "label"),
        Kind.BITEXT: ("source", "target"),
        Kind.MINING: ("text", "targets"),
        Kind.RANKING: ("text", "targets"),
        Kind.TEXT: ("text",),
    }
)
#: What rows of any kind, and of some, may have besides. Choices may be columns of their own: choice1, choice2, ...
EXTRAS = ("id", "group")
OPTIONAL: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.SPAN: ("answer_starts", "impossible"),
        Kind.CHOICE: ("question",),
        Kind.RANKING: ("target", "target_context"),
    }
)
#: The roles whose values are lists, where they are in one column.
_LISTS = {Kind.CHOICE: "choices", Kind.TAGGING: "tokens", Kind.MINING: "targets", Kind.RANKING: "targets"}
#: The roles that are withheld where labels are.
_WITHHELD = {"label", "tags", "answers", "answer", "answer_starts", "impossible", "targets", "target_context"}

_LABEL = (
    "label labels goldlabel class category intent sentiment polarity topic relation entailmentjudgment judgment "
    "isduplicate isparaphrase quality tag target"
)
#: Names in use for each role, the likeliest first; case, spaces, hyphens and underscores are ignored.
_NAMES: Mapping[Kind, Mapping[str, str]] = {
    Kind.SPAN: {
        "context": "context passage paragraph",
        "question": "question query",
        "answers": "answers answers.text answer answertext",
        "answer_starts": "answerstarts answerstart answers.answerstart",
        "impossible": "isimpossible",
    },
    Kind.CHOICE: {
        "choices": "choices question.choices options endings answers candidates alternatives",
        "text": "premise context passage article story ctx text sentence goal question.stem stem prompt",
        "question": "question query asksfor",
        "answer": "label answer answerkey correctanswer correctanswernum correct gold goldlabel answeridx",
    },
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
    Kind.MINING: {"text": "text sentence query source", "targets": "targets"},
    Kind.RANKING: {
        "text": "text query question mention",
        "targets": "targets",
        "target": "target",
        "target_context": "targetcontext",
    },
    Kind.TEXT: {"text": "text sentence content document"},
}
_ID = "id uid guid idx index indexid pairid exampleid sentid sentenceid"
NO_LABELS = " Nothing can be measured without labels; predictions for a submission need none (labelled=False)."
#: The names of choices that have a column each, before their number or letter.
_SERIES = ("choice", "answer", "option", "ending", "sol", "alternative", "")


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


def needed(kind: Kind, labelled: bool) -> tuple[str, ...]:
    """The roles that a row must have; those that are labels only where these are needed."""
    return tuple(role for role in ROLES[kind] if labelled or role not in _WITHHELD)


def has_role(kind: Kind, role: str) -> bool:
    """May a row of ``kind`` have this role?"""
    more = kind is Kind.CHOICE and CHOICE.fullmatch(role) is not None
    return more or role in (*ROLES[kind], *OPTIONAL.get(kind, ()), *EXTRAS)


def check_columns(columns: Columns, kind: Kind | None) -> None:
    """Refuse roles that the kind has not, and a mixture of names and numbers. Raises SpecError."""
    kinds = [kind] if kind else list(ROLES)
    for role, where in columns.items():
        if not any(has_role(one, role) for one in kinds):
            known = {name for one in kinds for name in (*ROLES[one], *OPTIONAL.get(one, ()), *EXTRAS)}
            raise SpecError(
                f"columns names {role!r}, which {f'a {kind} task has not' if kind else 'no task has'}: "
                f"{nearest(role, known)}"
            )
        if isinstance(where, bool) or (isinstance(where, int) and where < 1):
            raise SpecError(f"columns[{role!r}] is {where!r}: give a name of the header, or a number counted from 1.")
    if len({isinstance(where, int) for where in columns.values()}) > 1:
        raise SpecError("columns must give names for all columns, or numbers for all where the file has no header.")


def wanted(kinds: Iterable[Kind], labelled: bool = True) -> str:
    """The roles of each of ``kinds``, in words."""
    return " or ".join(f"{', '.join(needed(kind, labelled))} ({kind})" for kind in kinds)


def layout_of(path: Path, grid: Grid, kinds: Sequence[Kind], columns: Columns, labelled: bool = True) -> Layout:
    """The layout of a grid of cells, as the first of ``kinds`` that fits.

    Raises:
        DataError: a column that is told is not there, or what the columns hold cannot be told.
    """
    if any(isinstance(where, int) for where in columns.values()):
        return _by_number(path, grid, kinds, columns, labelled)
    header = [name.strip() for name in grid.row(0)]
    layout = layout_by_name(path, header, kinds, columns, labelled)
    if layout is None and not columns:
        layout = _by_position(grid, kinds, labelled)
    if layout is None:
        role = ROLES[kinds[-1]][0]
        raise at(
            path,
            grid.lines[0],
            f"it is not clear which of the {len(header)} columns hold {wanted(kinds, labelled)}; if this line is a "
            f"header, name them: columns={{{role!r}: {header[0][:30]!r}, ...}}, and if not, count them: "
            f"columns={{{role!r}: 1, ...}}.{NO_LABELS if labelled else ''}",
        )
    return layout


def layout_by_name(
    path: Path,
    names: Sequence[str],
    kinds: Sequence[Kind],
    columns: Columns,
    labelled: bool = True,
    lists: Container[str] = (),
) -> Layout | None:
    """The layout by the names of columns, as the first of ``kinds`` that fits; None where none does.

    ``lists`` are the names whose values are lists: sentences, choices and targets are recognised by that.

    Raises:
        DataError: a column that is told is not there, or there twice.
    """
    for role, name in columns.items():
        if names.count(str(name)) != 1:
            problem = "more than once." if name in names else f"not there: {nearest(str(name), names)}"
            raise DataError(f"{path}: the column {name!r}, which is to be the {role}, is {problem}")
    told = {role: names.index(str(name)) for role, name in columns.items()}
    for kind in kinds:
        if all(has_role(kind, role) for role in told):
            found = _complete(kind, names, told, labelled)
            if found is not None and (len(kinds) == 1 or _certain(kind, names, found, lists)):
                return Layout(kind, found, tuple(names))
    return None


def _complete(kind: Kind, names: Sequence[str], told: Mapping[str, int], labelled: bool) -> Mapping[str, int] | None:
    """``told`` with what the usual names add to it; None where a role is still missing."""
    plain = [_plain(name) for name in names]
    found = dict(told)
    if kind is Kind.CHOICE and "choices" not in found and not any(map(CHOICE.fullmatch, found)):
        found |= _series(plain, set(found.values()))
    series = any(map(CHOICE.fullmatch, found))
    for role, usual in _NAMES[kind].items():
        if (not labelled and role in _WITHHELD) or (role == "choices" and series):
            continue
        for name in usual.split():
            if role not in found and plain.count(name) == 1 and plain.index(name) not in found.values():
                found[role] = plain.index(name)
    if kind is Kind.BITEXT and len(names) == 2 and not set(found) & {"source", "target"}:
        english = [position for position, name in enumerate(names) if _language(name) == "eng"]
        if len(english) == 1 and all(map(_language, names)):
            return {"source": 1 - english[0], "target": english[0], **found}
    if kind is Kind.CHOICE and "question" in found and f"{names[found['question']]}.stem" in names:
        del found["question"]  # an object that holds the text and the choices
    if kind is Kind.CHOICE and "text" not in found and "question" in found:
        found["text"] = found.pop("question")
    for name in _ID.split():
        if "id" not in found and plain.count(name) == 1 and plain.index(name) not in found.values():
            found["id"] = plain.index(name)
    missing = set(needed(kind, labelled)) - set(found) - ({"choices"} if series else set())
    return None if missing else found


def _series(plain: Sequence[str], taken: set[int]) -> dict[str, int]:
    """The columns of two or more choices, by names that go on: choice1, choice2 or answera, answerb."""
    for before in _SERIES:
        for marks in ("0123456789", "123456789", "abcdefghij") if before else ("abcdefghij",):
            names = list(itertools.takewhile(lambda name: plain.count(name) == 1, (before + mark for mark in marks)))
            found = [plain.index(name) for name in names]
            if len(found) > (1 if before else 2) and not taken & set(found):
                return {f"choice{number}": position for number, position in enumerate(found, 1)}
    return {}


def _certain(kind: Kind, names: Sequence[str], found: Mapping[str, int], lists: Container[str]) -> bool:
    """Is the kind told by more than a question and an answer, which many kinds have?"""
    if kind is Kind.SPAN:
        return "answer_starts" in found or ("answers" in found and names[found["answers"]] + ".text" in names)
    role = _LISTS.get(kind, "")
    return role not in found or names[found[role]] in lists


def _by_number(path: Path, grid: Grid, kinds: Sequence[Kind], columns: Columns, labelled: bool) -> Layout:
    """The layout of a file without a header whose columns are counted."""
    roles = set(columns)
    series = {"choices"} if sum(CHOICE.fullmatch(role) is not None for role in roles) > 1 else set()
    kind = next(
        (
            kind
            for kind in kinds
            if set(needed(kind, labelled)) <= roles | series and all(has_role(kind, role) for role in roles)
        ),
        None,
    )
    if kind is None:
        raise SpecError(f"columns must number all of {wanted(kinds, labelled)}; it numbers {', '.join(columns)}.")
    width = len(grid.columns)
    for role, number in columns.items():
        if int(number) > width:
            raise at(path, grid.lines[0], f"there is no column {number} for the {role}: there are {width}.")
    positions = {role: int(number) - 1 for role, number in columns.items() if labelled or role not in _WITHHELD}
    return Layout(kind, positions, None)


def _by_position(grid: Grid, kinds: Sequence[Kind], labelled: bool) -> Layout | None:
    """The layout of a file without a header: its columns in the order of the roles.

    The label of the first row must occur again: where it does not, the first row may well be a header. Columns without
    labels are taken for what they are asked to be, and for nothing else.
    """
    width, last = len(grid.columns), grid.columns[-1]
    for kind in kinds:
        roles = ROLES[kind]
        if not labelled and len(kinds) == 1 and width in (len(roles), len(needed(kind, labelled))):
            return Layout(kind, {role: position for position, role in enumerate(needed(kind, labelled))}, None)
        if labelled and len(roles) == width and kind not in (Kind.SPAN, Kind.CHOICE):
            with_label = roles[-1] == "label"
            if (not with_label and len(kinds) > 1) or (with_label and last[0] not in itertools.islice(last, 1, None)):
                return None
            return Layout(kind, {role: position for position, role in enumerate(roles)}, None)
    return None


def _plain(name: str) -> str:
    """A name without case, spaces, hyphens and underscores."""
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
