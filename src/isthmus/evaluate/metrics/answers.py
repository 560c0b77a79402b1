"""Exact match and F1 of answers, as XTREME scores question answering: by the rules of SQuAD v1.1, or of MLQA.

Both lower-case, delete punctuation, then articles, and split what is left into tokens. SQuAD's rules are those of
English, whatever the language (Rajpurkar et al. 2016); MLQA's have articles by language and cut Chinese text into
characters (Lewis et al. 2020). There is no Unicode normalisation in either. A question's score is the best over its
gold answers, for exact match and F1 separately.

A question without gold answers has none, as in SQuAD v2: both scores are 100 where nothing is predicted, else 0.
A prediction of None is a missing one: 0 for both.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import numpy as np

from isthmus.errors import DataError
from isthmus.evaluate.metrics.core import Floats, Metric, Reduce, mean

Normalise = Callable[[str], str]

_NO_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ENGLISH = re.compile(r"\b(a|an|the)\b")
_ARTICLES: Mapping[str, re.Pattern[str] | None] = {
    "en": _ENGLISH,
    "es": re.compile(r"\b(un|una|unos|unas|el|la|los|las)\b"),
    "de": re.compile(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "vi": re.compile(r"\b(của|là|cái|chiếc|những)\b"),
    "ar": re.compile("ال"),  # anywhere, inside words as well
    "hi": None,
    "zh": None,
}
_IDEOGRAPH = re.compile("([\u4e00-\u9fa5])")

#: The languages that MLQA's rules know.
MLQA_LANGUAGES = tuple(_ARTICLES)


def squad_normalise(text: str) -> str:
    """Tokens joined by single spaces, by the rules of SQuAD v1.1."""
    return " ".join(_ENGLISH.sub(" ", text.lower().translate(_NO_ASCII_PUNCTUATION)).split())


def mlqa_normalise(text: str, language: str) -> str:
    """Tokens joined by single spaces, by the rules of MLQA for ``language`` (one of `MLQA_LANGUAGES`)."""
    text = "".join(char for char in text.lower() if not _is_punctuation(char))
    articles = _ARTICLES[language]
    if articles is not None:
        text = articles.sub(" ", text)
    if language == "zh":
        text = _IDEOGRAPH.sub(r" \1 ", text)
    return " ".join(text.split())


@cache
def _is_punctuation(char: str) -> bool:
    return char in string.punctuation or unicodedata.category(char).startswith("P")


def exact_and_f1(golds: Sequence[str], prediction: str, normalise: Normalise) -> tuple[float, float]:
    """Exact match and F1 of one answer, 0 to 1."""
    predicted = normalise(prediction)
    if not golds:
        return float(not predicted), float(not predicted)
    normalised = [normalise(gold) for gold in golds]
    exact = float(predicted in normalised)
    tokens = predicted.split()
    return exact, max(_overlap(tokens, gold.split()) for gold in normalised)


def _overlap(predicted: list[str], gold: list[str]) -> float:
    """F1 over the tokens as multisets; 0 where either has none."""
    same = sum((Counter(predicted) & Counter(gold)).values())
    if not same:
        return 0.0
    precision, recall = same / len(predicted), same / len(gold)
    return 2 * precision * recall / (precision + recall)


def _statistics(golds: Sequence[Sequence[str]], predictions: Sequence[str | None], normalise: Normalise) -> Floats:
    rows = np.zeros((len(golds), 3))
    rows[:, 2] = 1
    for row, (gold, prediction) in enumerate(zip(golds, predictions, strict=True)):
        if prediction is not None:
            rows[row, :2] = exact_and_f1(gold, prediction, normalise)
    return rows


def squad_statistics(golds: Sequence[Sequence[str]], predictions: Sequence[str | None], _language: str = "") -> Floats:
    """Shape (n, 3): exact match, F1 (0 to 1) and one, of each question."""
    return _statistics(golds, predictions, squad_normalise)


def mlqa_statistics(golds: Sequence[Sequence[str]], predictions: Sequence[str | None], language: str) -> Floats:
    """Shape (n, 3): exact match, F1 (0 to 1) and one, of each question.

    Raises:
        DataError: there is a prediction, and MLQA has no rules for the language.
    """
    primary = language.split("-", maxsplit=1)[0].lower()
    if primary not in _ARTICLES and any(prediction is not None for prediction in predictions):
        known = ", ".join(MLQA_LANGUAGES)
        raise DataError(f"MLQA has no rules to compare answers in {language!r}: it knows {known}.")
    return _statistics(golds, predictions, partial(mlqa_normalise, language=primary))


def _both(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(100 * (sums[..., 0] + sums[..., 1]) / (2 * sums[..., 2]))


_COLUMNS = ("exact_match", "f1", "questions")
_REDUCES: Mapping[str, tuple[str, Reduce]] = {
    "": ("mean of exact match and F1", _both),
    "_em": ("exact match", mean(0, 2)),
    "_f1": ("F1 over tokens", mean(1, 2)),
}
ANSWER_METRICS = tuple(
    Metric(rules + suffix, f"{what} of answers, by the rules of {title}", _COLUMNS, statistics, reduce)
    for rules, title, statistics in (("squad", "SQuAD v1.1", squad_statistics), ("mlqa", "MLQA", mlqa_statistics))
    for suffix, (what, reduce) in _REDUCES.items()
)
