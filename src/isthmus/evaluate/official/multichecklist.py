"""MultiCheckList (Ruder et al. 2021): six tests of question answering in 50 languages, scored by error rate.

The published suites are Python pickles, which run code when they are loaded, so they are not read. The same content as
JSON in SQuAD's form is: ``multichecklist/test-LANGUAGE.json``, where each article is one test case, its title the name
of its test, and its paragraphs and questions what the model is asked. A case passes when every answer in it is right;
the error rate of a test is the share of its cases that do not. Predictions are ``{question id: text}`` under the same
file name, or the text files that the published script writes, ``LANGUAGE_TEST_MODEL_preds.txt``: an answer a line, in
the order of the questions of that test.

Answers are compared as that script does: case counts; articles of some languages and punctuation at both ends do not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.errors import DataError
from isthmus.evaluate.official import files

#: The tests' short names, which predictions are filed under, and the long ones, which the suites have.
TESTS: Mapping[str, str] = {
    "comp": "A is COMP than B. Who is more / less COMP?",
    "intense": "Intensifiers (very, super, extremely) and reducers (somewhat, kinda, etc)?",
    "props": "size, shape, age, color",
    "profession_nationality": "Profession vs nationality",
    "animal_vehicle": "Animal vs Vehicle",
    "animal_vehicle_v2": "Animal vs Vehicle v2",
}
_SHORT = {long: short for short, long in TESTS.items()}

_ARTICLES: Mapping[str, str] = {
    "af": r"(’n)\b",
    "ar": "ال",
    "bn": r"\b(একটি|একজন)",
    "de": r"\b(ein|eine|einen)\b",
    "el": r"\b(Ο|ένα|μια)\b",
    "en": r"\b(a|an|the|in|at)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "eu": r"\b(bat)\b",
    "fa": r"\b(یک)\b",
    "fr": r"\b(un|une|le|la|en)\b",
    "hi": r"\b(एक)",
    "hu": r"\b(egy)\b",
    "it": r"\b(un|una)\b",
    "ml": r"\b(ഒരു)",
    "mr": r"\b(एक)",
    "my": r"\b(တစ်ဦး)",
    "nl": r"\b(een)\b",
    "pa": r"\b(ਇੱਕ|ਇਕ)",
    "pt": r"\b(um|uma)\b",
    "ta": r"\b(ஒரு)",
    "tl": r"\b(Si)\b",
    "tr": r"\b(bir)\b",
    "vi": r"\b(một)\b",
    "wo": r"\b(dafa)\b",
    "yo": r"\b(kan)\b",
}
_PUNCTUATION: Mapping[str, str] = {"bn": ",. ৷", "hi": ",. ৷", "pa": ",. ।", "pl": "„”,. ", "ur": ",. \u200f"}


class _Case(NamedTuple):
    """One test case: its questions, each with its gold answers."""

    test: str
    questions: list[files.Question]


@dataclass(frozen=True)
class ErrorRates:
    """Language -> test -> error rate (0 to 100); the cases behind each; languages without predictions; remarks."""

    rates: Mapping[str, Mapping[str, float]]
    cases: Mapping[str, Mapping[str, int]]
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def by_test(self) -> dict[str, float]:
        """Test -> the mean over its languages."""
        tests = dict.fromkeys(test for rates in self.rates.values() for test in rates)
        return {test: _mean([rates[test] for rates in self.rates.values() if test in rates]) for test in tests}

    @property
    def mean(self) -> float:
        """The mean over the tests."""
        return _mean(list(self.by_test.values()))


def clean(text: str, language: str) -> str:
    """What is left of an answer to compare."""
    if language in _ARTICLES:
        text = re.sub(_ARTICLES[language], " ", text)
    return text.strip(_PUNCTUATION.get(language, ",. "))


def error_rates(predictions: Path, labels: Path, partial: bool = False) -> ErrorRates:
    """Score the folder ``multichecklist`` of both sides, in every language that has labels.

    Raises:
        DataError: a file is not in the form above, there is none, or predictions are missing and not ``partial``.
    """
    golds = {path.stem.removeprefix("test-"): path for path in sorted(labels.glob("test-*.json"))}
    if not golds:
        raise DataError(f"{labels} holds no file such as test-de.json (see the docs on scoring for its form).")
    rates: dict[str, dict[str, float]] = {}
    counts: dict[str, dict[str, int]] = {}
    notes: list[str] = []
    missing = []
    for language, path in golds.items():
        cases = _cases(path, notes)
        answers = _answers(predictions, language, path, cases, notes)
        if answers is None:
            missing.append(language)
            continue
        failed: dict[str, list[bool]] = {}
        for case in cases:
            right = (_right(question, answers.get(question.id), language) for question in case.questions)
            failed.setdefault(case.test, []).append(not all(right))
        rates[language] = {test: 100 * sum(cases) / len(cases) for test, cases in failed.items()}
        counts[language] = {test: len(cases) for test, cases in failed.items()}
    if missing and (not partial or not rates):
        names = ", ".join(f"test-{language}.json" for language in missing[:5])
        raise DataError(
            f"{predictions} has no predictions for {labels}: {names} {'is' if len(missing) == 1 else 'are'} missing."
        )
    return ErrorRates(rates, counts, tuple(missing), tuple(notes))


def _cases(path: Path, notes: list[str]) -> list[_Case]:
    cases = []
    seen: dict[str, str] = {}
    for place, article in files.articles(path, notes):
        title = article.get("title")
        if not isinstance(title, str) or not title:
            raise DataError(f"{path}: {place} has no title, which names its test.")
        questions = list(files.questions_of(path, place, article))
        for question in questions:
            if not question.answers:
                raise DataError(f"{path}: {question.where} has no gold answer.")
            if question.id in seen:
                raise DataError(f"{path}: {question.where} has the id of {seen[question.id]}: ids must differ.")
            seen[question.id] = question.where
        if not questions:
            raise DataError(f"{path}: {place} holds no question.")
        cases.append(_Case(_SHORT.get(title, title), questions))
    if not cases:
        raise DataError(f"{path} holds no test case.")
    return cases


def _answers(
    folder: Path, language: str, golds: Path, cases: list[_Case], notes: list[str]
) -> Mapping[str, Any] | None:
    """The predictions of a language by question id; None where there are none."""
    path = folder / golds.name
    if path.exists():
        found = files.read_predictions(path, notes)
        asked = [question.id for case in cases for question in case.questions]
        wrong = next((name for name in asked if name in found and not isinstance(found[name], str)), None)
        if wrong is not None:
            raise DataError(f"{path}: the answer to {wrong!r} is no text.")
        if missing := sum(name not in found for name in asked):
            notes.append(f"{path} answers {len(asked) - missing} of {len(asked)} questions; the others count as wrong.")
        return found
    answers: dict[str, str] = {}
    for test in dict.fromkeys(case.test for case in cases):
        lines = _text_file(folder, language, test)
        if lines is None:
            return None
        asked = [question.id for case in cases if case.test == test for question in case.questions]
        answers.update(zip(asked, _as_many(lines, asked, golds, test, notes), strict=True))
    return answers


def _text_file(folder: Path, language: str, test: str) -> Path | None:
    """The published script's file of a test. Raises DataError where there are several."""
    longer = [name for name in TESTS if name.startswith(f"{test}_")]
    found = [
        path
        for path in sorted(folder.glob(f"{language}_{test}_*_preds.txt"))
        if not any(path.name.startswith(f"{language}_{name}_") for name in longer)
    ]
    if len(found) > 1:
        raise DataError(f"{folder} has predictions of several models, {found[0].name} and {found[1].name}: keep one.")
    return found[0] if found else None


def _as_many(path: Path, asked: list[str], golds: Path, test: str, notes: list[str]) -> list[str]:
    lines = files.read_text(path, notes).split("\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) != len(asked):
        raise DataError(f"{path} has {len(lines)} lines, but the test {test} in {golds} has {len(asked)} questions.")
    return lines


def _right(question: files.Question, answer: str | None, language: str) -> bool:
    return answer is not None and clean(answer, language) in {clean(gold, language) for gold in question.answers}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
