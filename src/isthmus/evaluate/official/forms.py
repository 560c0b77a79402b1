"""How each task of XTREME and XTREME-R is read and scored, one language at a time.

A form makes per-example statistics of two files, and names the figures that are reduced from them: the official ones
under their official names, and Isthmus' own beside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isthmus.errors import DataError
from isthmus.evaluate.metrics import metric
from isthmus.evaluate.metrics.core import FOUND, Floats, Reduce, f1, precision, recall
from isthmus.evaluate.metrics.spans import CONVENTIONS, joined_statistics
from isthmus.evaluate.official import files

Seqeval = Literal["1.2.2", "0.0.12"]
#: What the official install script, which names no release, installs today.
DEFAULT_SEQEVAL: Seqeval = "1.2.2"


@dataclass(frozen=True)
class Scored:
    """One language of a task.

    Attributes:
        keys: n examples; equal keys in two languages of a task whose test sets are parallel are the same example.
        statistics: (n, k), of the columns that the form's figures reduce.
        notes: what a reader of the figures should know of the files.
    """

    keys: tuple[str, ...]
    statistics: Floats
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A figure from sums of a form's statistics: those of ``columns``."""

    columns: slice
    reduce: Reduce

    def __call__(self, sums: Floats) -> Floats:
        """Sums of shape (..., k) -> figures of shape (...), 0 to 100."""
        return self.reduce(sums[..., self.columns])


@dataclass(frozen=True)
class Form:
    """How a task is read and scored.

    Attributes:
        suffix: of its files.
        read: prediction file, label file, language -> the language's statistics.
        official: the figures by their official names. main: the task's score: the official ``avg_metric``.
        beside: figures of Isthmus by the names of their metrics.
        parallel: are its test sets translations of one another, so that chance moves all languages together?
    """

    suffix: str
    read: Callable[[Path, Path, str], Scored]
    official: Mapping[str, Figure]
    main: Figure
    beside: Mapping[str, Figure] = field(default_factory=dict)
    parallel: bool = False

    def figures(self, scored: Scored) -> dict[str, float]:
        """The official figures of one language."""
        sums = scored.statistics.sum(axis=0)
        return {name: float(figure(sums)) for name, figure in self.official.items()}


def form_of(task: str, seqeval: Seqeval = DEFAULT_SEQEVAL) -> Form:
    """The form of a task of XTREME or XTREME-R, with tags by that convention."""
    return _tagging(seqeval) if task in ("panx", "udpos") else _FORMS[task]


def _rows(predictions: Path, golds: Path, guessed: int, there: int, unit: str = "rows") -> None:
    if guessed != there:
        raise DataError(f"{predictions} has {guessed} {unit}, but {golds} has {there}: they must be as many.")
    if not there:
        raise DataError(f"{golds} and {predictions} are empty: there is nothing to score.")


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def _lines(read: Callable[[Path, list[str]], list[Any]], predictions: Path, golds: Path, language: str) -> Scored:
    """Labels paired by line."""
    notes: list[str] = []
    guessed, labels = read(predictions, notes), read(golds, notes)
    _rows(predictions, golds, len(guessed), len(labels))
    files.refuse_stripped(golds, labels, len(labels))
    statistics = metric("accuracy").statistics(labels, guessed, language)
    return Scored(_numbered(len(labels)), statistics, tuple(notes))


def _tags(convention: Seqeval, predictions: Path, golds: Path, language: str) -> Scored:
    """Sentences of tags: spans by both conventions, and tokens."""
    notes: list[str] = []
    guessed, labels = files.read_tags(predictions, notes), files.read_tags(golds, notes)
    uneven = next(
        (
            number
            for number, (one, other) in enumerate(zip(guessed.tags, labels.tags, strict=False))
            if len(one) != len(other)
        ),
        None,
    )
    where = "" if uneven is None else _uneven(predictions, golds, guessed, labels, uneven)
    if len(guessed.tags) != len(labels.tags):
        counted = f"{predictions} has {len(guessed.tags)} sentences, but {golds} has {len(labels.tags)}"
        raise DataError(f"{counted}: they must be as many{f'; {where}' if where else ''}.")
    _rows(predictions, golds, len(guessed.tags), len(labels.tags), "sentences")
    files.refuse_stripped(golds, [tag for tags in labels.tags for tag in tags], len(labels.tags))
    parts = {name: joined_statistics(labels.tags, guessed.tags, name) for name in CONVENTIONS}
    if uneven is not None:
        if convention == "1.2.2":
            raise DataError(f"{where}.")
        notes.append(f"{where}; seqeval 0.0.12 compares what stands at the same place in the row of all tags.")
        parts["1.2.2"][:] = np.nan  # 1.2.2 has no figure for such files
    tokens = metric("token_accuracy").statistics(labels.tags, guessed.tags, language)
    return Scored(_numbered(len(labels.tags)), np.hstack([*parts.values(), tokens]), tuple(notes))


def _uneven(predictions: Path, golds: Path, guessed: files.Sentences, labels: files.Sentences, number: int) -> str:
    counts = len(guessed.tags[number]), len(labels.tags[number])
    return (
        f"{predictions}, line {guessed.lines[number]}: sentence {number + 1} has {counts[0]} tags, but {counts[1]} in "
        f"{golds}, line {labels.lines[number]}"
    )


def _tagging(convention: Seqeval) -> Form:
    places = {name: slice(3 * number, 3 * number + 3) for number, name in enumerate(CONVENTIONS)}
    chosen = places[convention]
    official = {"f1": Figure(chosen, f1), "precision": Figure(chosen, precision), "recall": Figure(chosen, recall)}
    beside = {
        "span_f1_1.2.2": Figure(places["1.2.2"], f1),
        "span_f1": Figure(places["0.0.12"], f1),
        "token_accuracy": Figure(slice(6, 8), metric("token_accuracy").reduce),
    }
    return Form("tsv", partial(_tags, convention), official, official["f1"], beside)


def _answers(rules: str, predictions: Path, golds: Path, language: str) -> Scored:
    """Answers to questions: a missing one scores 0, a repeated id counts each time."""
    notes: list[str] = []
    guessed, questions = files.read_predictions(predictions, notes), files.read_questions(golds, notes)
    missing = 0
    for question in questions:
        if question.id not in guessed:
            missing += 1
        elif not isinstance(guessed[question.id], str):
            raise DataError(f"{predictions}: the answer to {question.id!r} is no text.")
        elif not question.answers:
            raise DataError(f"{golds}: {question.where} has no gold answer, so its prediction cannot be scored.")
    if missing:
        notes.append(
            f"{predictions} answers {len(questions) - missing} of {len(questions)} questions; the others score 0."
        )
    try:
        statistics = metric(rules).statistics(
            [question.answers for question in questions], [guessed.get(question.id) for question in questions], language
        )
    except DataError as error:
        raise DataError(f"{predictions}: {error}") from None
    return Scored(_repeated([question.id for question in questions]), statistics, tuple(notes))


def _repeated(names: Sequence[str]) -> tuple[str, ...]:
    """Names made unique by how often each came before."""
    seen: dict[str, int] = {}
    keys = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        keys.append(f"{name} {seen[name]}")
    return tuple(keys)


def _pairs(predictions: Path, golds: Path, _language: str) -> Scored:
    """Mined pairs as sets of lines; statistics by source sentence."""
    notes: list[str] = []
    guessed, labels = (
        {tuple(line.split("\t")) for line in files.read_lines(path, notes)} for path in (predictions, golds)
    )
    sources = {source: row for row, source in enumerate(dict.fromkeys(pair[0] for pair in sorted(labels | guessed)))}
    statistics = np.zeros((len(sources), len(FOUND)))
    for column, pairs in enumerate((labels & guessed, guessed, labels)):
        for pair in pairs:
            statistics[sources[pair[0]], column] += 1
    if not labels:
        notes.append(f"{golds} is empty: the score is 0 whatever was predicted.")
    return Scored(tuple(sources), statistics, tuple(notes))


def _rankings(measure: str, predictions: Path, golds: Path, language: str) -> Scored:
    """Ranked ids: a query without a prediction scores 0."""
    notes: list[str] = []
    labels, guessed = files.read_targets(golds, notes), files.read_predictions(predictions, notes)
    missing = sum(name not in guessed for name in labels)
    if missing:
        notes.append(f"{predictions} ranks for {len(labels) - missing} of {len(labels)} queries; the others score 0.")
    rankings = [files.ids_of(predictions, name, guessed.get(name, [])) for name in labels]
    return Scored(tuple(labels), metric(measure).statistics(list(labels.values()), rankings, language), tuple(notes))


def _accuracy(suffix: str, read: Callable[[Path, list[str]], list[Any]], parallel: bool) -> Form:
    figure = Figure(slice(2), metric("accuracy").reduce)
    return Form(suffix, partial(_lines, read), {"accuracy": figure}, figure, parallel=parallel)


def _asking(rules: str, parallel: bool) -> Form:
    named = {"exact_match": f"{rules}_em", "f1": f"{rules}_f1"}
    official = {name: Figure(slice(3), metric(measure).reduce) for name, measure in named.items()}
    main = Figure(slice(3), metric(rules).reduce)
    return Form("json", partial(_answers, rules), official, main, parallel=parallel)


def _ranking(measure: str, parallel: bool) -> Form:
    figure = Figure(slice(2), metric(measure).reduce)
    return Form("json", partial(_rankings, measure), {"map@20": figure}, figure, parallel=parallel)


_EVERY = slice(len(FOUND))
_FORMS: Mapping[str, Form] = {
    "xnli": _accuracy("tsv", files.read_lines, parallel=True),
    "pawsx": _accuracy("tsv", files.read_lines, parallel=True),
    "xcopa": _accuracy("jsonl", files.read_choices, parallel=True),
    "tatoeba": _accuracy("tsv", files.read_lines, parallel=False),
    "xquad": _asking("squad", parallel=True),
    "tydiqa": _asking("squad", parallel=False),
    "mlqa": _asking("mlqa", parallel=True),
    "bucc2018": Form(
        "tsv",
        _pairs,
        {"f1": Figure(_EVERY, f1), "precision": Figure(_EVERY, precision), "recall": Figure(_EVERY, recall)},
        Figure(_EVERY, f1),
    ),
    "mewslix": _ranking("mrr@20", parallel=False),
    "lareqa": _ranking("map@20", parallel=True),
}
