"""Answers and entities find their place in a translation: it always is one, and mostly the right one."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.data.schema import Kind, to_table
from isthmus.evaluate.metrics.answers import mlqa_statistics
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.tasks.bio import words
from isthmus.translate.align import Aligner, Alignment, alignment, best_match
from isthmus.translate.cache import Cache
from isthmus.translate.project import Job, Languages, by_alignment
from isthmus.translate.rows import Made, Rules, source_of, translated, wording_of
from isthmus.translate.sentences import Passage, Segment, Stretch
from isthmus.translate.tags import Entity, are_entities, carried, entities, scheme_of, tagged
from isthmus.translate.wording import cut, translate_all
from tests.questions import QA, real

ENGLISH = ["the", "a", "small", "old", "boat", "river", "crosses", "green", "house", "on"]
OTHER = ["dy", "un", "pikku", "vanha", "vene", "joki", "ylittää", "vihreä", "talo", "päällä"]
LEXICON = dict(zip(ENGLISH, OTHER, strict=True))


class Dictionary:
    """A translator that looks words up and turns the sentence round, so that every place changes.

    With ``spoils`` it loses marks, as poor translators do; with ``rephrases`` marks change the rest of the sentence.
    """

    token_budget = 200

    def __init__(self, spoils: bool = False, rephrases: bool = False) -> None:
        self.spoils, self.rephrases = spoils, rephrases

    def lengths(self, texts: Any) -> list[int]:
        return [len(text.split()) for text in texts]

    def translate(self, texts: Any) -> list[str]:
        return [self._turned(text) for text in texts]

    def _turned(self, text: str) -> str:
        parts = re.split(r"(\[.*\])", text)
        if self.rephrases and len(parts) > 1:
            text = "".join(part if "[" in part else part.replace("the", "that") for part in parts)
        if self.spoils:
            text = text.replace("[", "").replace("]", "")
        body, end = (text[:-1], text[-1]) if text[-1] in ".?!" else (text, "")
        turned = [self._word(word) for word in body.split()][::-1]
        return " ".join(turned) + end

    @staticmethod
    def _word(word: str) -> str:
        """The brackets of a marked stretch change sides, as the words do."""
        core = word.strip("[]")
        return "[" * word.count("]") + LEXICON.get(core, core) + "]" * word.count("[")


def run(kind: Kind, rows: list[dict[str, Any]], translator: Dictionary, folder: Path, **rules: Any) -> list[Made]:
    asked = Rules(kind, Languages("en", "fi"), **rules)
    if kind is Kind.TAGGING:
        asked = asked.of([row["tags"] for row in rows])
    sources = [source_of(row, asked) for row in rows]
    cuts = cut((text for source in sources for text in source.texts), translator, 100)
    wanted = [sent for source in sources for sent in wording_of(source, cuts, asked)]
    found = translate_all(wanted, translator, Cache(folder / "cache.jsonl"), lambda _: None)
    return translated(rows, asked, cuts, found, None)


def question(context: str, *answers: str) -> dict[str, Any]:
    starts = [context.index(answer) for answer in answers]
    return {
        "id": "1", "group": "1", "question": "the boat?", "context": context, "answers": list(answers),
        "answer_starts": starts,
    }  # fmt: skip


WORDS = st.lists(st.sampled_from(sorted(ENGLISH[2:])), min_size=1, max_size=7)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), st.booleans(), st.data())
def test_an_answer_that_went_through_between_marks_stands_in_the_translation_and_is_its_words(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[list[str]], rephrases: bool, data: st.DataObject
) -> None:
    sentences = [" ".join(one).capitalize() + "." for one in drawn]
    number = data.draw(st.integers(0, len(drawn) - 1))
    first = data.draw(st.integers(0, len(drawn[number]) - 1))
    last = data.draw(st.integers(first, len(drawn[number]) - 1))
    chosen = sentences[number][:-1].split()[first : last + 1]
    start = len(" ".join([*sentences[:number], ""])) + len(" ".join([*sentences[number][:-1].split()[:first], ""]))
    row = question(" ".join(sentences), " ".join(chosen)) | {"answer_starts": [start]}
    folder = tmp_path_factory.mktemp("cache")
    (made,) = run(Kind.SPAN, [row], Dictionary(rephrases=rephrases), folder, projection="markers", min_quality=0.0)
    assert made.row is not None and made.how == "markers"
    (answer,), (place,) = made.row["answers"], made.row["answer_starts"]
    assert made.row["context"][place : place + len(answer)] == answer
    assert answer == " ".join([Dictionary._word(word) for word in chosen][::-1])
    to_table(Kind.SPAN, {name: [value] for name, value in made.row.items()}, "made")


def test_several_answers_are_each_found_or_left_out_but_the_first_must_be(tmp_path: Path) -> None:
    row = question("the old boat crosses the river. A green house.", "river", "green house", "river. A green")
    (made,) = run(Kind.SPAN, [row], Dictionary(), tmp_path, projection="markers")
    assert made.row is not None
    assert made.row["answers"] == ["joki", "talo vihreä"]
    assert made.row["context"] == "joki dy ylittää vene vanha dy. talo vihreä A."
    (lost,) = run(Kind.SPAN, [row], Dictionary(spoils=True), tmp_path / "other", projection="markers")
    assert lost == Made(None, "marks that were lost")


def test_entities_of_a_sentence_are_marked_one_at_a_time(tmp_path: Path) -> None:
    tokens = ["the", "old", "boat", "crosses", "the", "green", "river", "."]
    tags = ["O", "B-V", "I-V", "O", "O", "B-R", "I-R", "O"]
    row = {"id": "1", "group": "1", "tokens": tokens, "tags": tags}
    (made,) = run(Kind.TAGGING, [row], Dictionary(), tmp_path, projection="markers")
    assert made == Made(
        {
            "id": "1",
            "group": "1",
            "tokens": ["joki", "vihreä", "dy", "ylittää", "vene", "vanha", "dy", "."],
            "tags": ["B-R", "I-R", "O", "O", "B-V", "I-V", "O", "O"],
        },
        "markers",
    )


TAGS = st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), max_size=10)


@given(TAGS)
def test_entities_become_tags_again(tags: list[str]) -> None:
    text = " ".join("w" * len(tags))
    found = words(text) if text else []
    spans = [(one.type, Stretch(found[one.first].start, found[one.last].end)) for one in entities(tags)]
    again = tagged(found, spans)
    assert again is not None and entities(again) == entities(tags)
    for scheme in ("BIOES", "BILOU"):
        other = tagged(found, spans, scheme)
        assert other is not None and entities(other) == entities(tags)
        if any(tag[0] in "SEUL" for tag in other):
            assert scheme_of([other]) == scheme


def test_schemes_of_tags_are_told_apart() -> None:
    assert are_entities([["O", "B-PER"], ["I-PER", "S-LOC"]])
    assert not are_entities([["DET", "NOUN"]])
    assert entities(["I-A", "I-A", "B-A", "I-B", "S-A", "E-A", "O", "L-B"]) == [
        Entity("A", 0, 1), Entity("A", 2, 2), Entity("B", 3, 3), Entity("A", 4, 4), Entity("A", 5, 5), Entity("B", 7, 7)
    ]  # fmt: skip
    assert tagged(words("a b"), [("X", Stretch(0, 1)), ("Y", Stretch(0, 3))]) is None


def sure(pairs: list[tuple[int, int]], rows: int, columns: int) -> Alignment:
    """An alignment that knows these pairs, and nothing of other words."""
    forward, backward = np.full((rows, columns), 1 / columns), np.full((rows, columns), 1 / rows)
    for row, column in pairs:
        forward[row], backward[:, column] = 0, 0
        forward[row, column] = backward[row, column] = 1
    return Alignment(forward.astype(np.float32), backward.astype(np.float32))


def test_the_best_stretch_is_the_counterpart_whole_and_nothing_else() -> None:
    found = best_match(sure([(0, 3), (1, 1), (2, 2), (3, 0)], 4, 4), 1, 2)
    assert found is not None and (found.first, found.last) == (1, 2)
    assert found.quality == pytest.approx(1.0)
    assert best_match(Alignment(np.zeros((2, 0), np.float32), np.zeros((2, 0), np.float32)), 0, 1) is None
    crossing = best_match(sure([(0, 0), (1, 1), (2, 4)], 3, 5), 1, 2)  # "to give up" that stands apart
    assert crossing is not None and (crossing.first, crossing.last) == (1, 4)
    assert crossing.quality < 0.95


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_a_match_is_inside_the_sentence_and_its_quality_between_0_and_1(
    rows: int, columns: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    vectors = [random.standard_normal((size, 4)).astype(np.float32) for size in (rows, columns)]
    found = alignment(*vectors)
    np.testing.assert_allclose(found.forward.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.backward.sum(0), 1, rtol=1e-5)
    first = data.draw(st.integers(0, rows - 1))
    match = best_match(found, first, data.draw(st.integers(first, rows - 1)))
    assert match is not None
    assert 0 <= match.first <= match.last < columns and 0 <= match.quality <= 1
    tags = carried(["X", "Y", "Z"][:rows] + ["X"] * (rows - 3), found)
    assert len(tags.tags) == columns and 0 <= tags.quality <= 1


def test_tags_go_to_the_words_that_stand_for_theirs() -> None:
    found = sure([(0, 2), (1, 0), (2, 1)], 3, 4)
    result = carried(["DET", "NOUN", "VERB"], found)
    assert result.tags[:3] == ["NOUN", "VERB", "DET"]
    assert result.quality == pytest.approx(3 / 4)


@real
def test_answers_are_found_in_translations_by_people(embedded_model: Path) -> None:
    """A part of XQuAD; benchmarks/projection.py has all of it, in four languages."""
    model: Any = load_model(embedded_model, "AutoModel", [], fresh_head=False).eval()
    aligner = Aligner(model, load_tokenizer(embedded_model), 1024)
    english, german = (
        [article["paragraphs"][0] for article in json.loads((QA / f"xquad/xquad.{code}.json").read_text())["data"][:8]]
        for code in ("en", "de")
    )
    jobs, golds = [], []
    for one, other in zip(english, german, strict=True):
        whole = Segment(Stretch(0, len(one["context"])), Stretch(0, len(other["context"])))
        passage = Passage(one["context"], other["context"], (whole,))
        for asked, same in zip(one["qas"], other["qas"], strict=True):
            answer = asked["answers"][0]
            start = answer["answer_start"]
            jobs.append(Job(passage, (Stretch(start, start + len(answer["text"])),)))
            golds.append([same["answers"][0]["text"]])
    by_alignment(jobs, aligner, Languages("en", "de"))
    places = [job.places[job.spans[0]] for job in jobs]
    answers = [place.span.of(job.passage.target) for place, job in zip(places, jobs, strict=True)]
    exact, f1, _ = mlqa_statistics(golds, answers, "de").mean(0)
    assert len(jobs) > 35
    assert (exact, f1) > (0.8, 0.9)
    good = [n for n, place in enumerate(places) if place.quality >= 0.5]
    assert mlqa_statistics([golds[n] for n in good], [answers[n] for n in good], "de").mean(0)[1] >= f1
