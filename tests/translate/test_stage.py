"""Rows come out in the other language with their labels, no sentence is translated twice, and a kill loses nothing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from isthmus.data.provenance import provenance
from isthmus.data.schema import Kind
from isthmus.errors import ModelError, SpecError
from isthmus.running.execute import Interrupted, execute
from isthmus.stage import Settings, Stage
from isthmus.translate.cache import Cache
from isthmus.translate.model import Seq2Seq
from tests.translate.conftest import Workplace
from tests.translate.phrasebook import PHRASES, plain

ENGLISH = [plain(text) for text in PHRASES]
GERMAN = dict(zip(ENGLISH, map(plain, PHRASES.values()), strict=True))
PAIRS = {
    "id": ["a", "b", "c"],
    "group": ["x", "x", "y"],
    "text": ["Anna moved to Bremen in 1931.", "It is late. Nobody saw the boat.", "1931"],
    "text_pair": ["Who moved to Bremen?", "It is late.", "What is green?"],
    "label": ["yes", "no", "no"],
}
LAMP, BOAT = "The lamp in the kitchen is green.", "A small boat crosses the wide river."
QUESTIONS = {
    "id": ["1", "2", "3"],
    "group": ["p", "p", "q"],
    "question": ["What is green?", "What does the boat cross?", "Who moved to Bremen?"],
    "context": [f"{LAMP} {BOAT}", f"{LAMP} {BOAT}", "It is late.\n\nNobody saw the boat."],
    "answers": [["lamp", "lamp", "kitchen"], ["wide river"], []],
    "answer_starts": [[4, 4, 16], [len(LAMP) + 1 + BOAT.index("wide")], []],
}


class Counting:
    """Counts the sentences that models are given, and may stop the work after some batches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sentences: list[str] = []
        real = Seq2Seq.translate

        def translate(translator: Seq2Seq, texts: Any) -> list[str]:
            self.sentences.extend(texts)
            return real(translator, texts)

        monkeypatch.setattr(Seq2Seq, "translate", translate)


def test_labels_of_texts_are_copied_and_every_text_is_translated_sentence_by_sentence(workplace: Workplace) -> None:
    table, result = workplace.run(workplace.stage(Kind.PAIR, PAIRS))
    assert table.to_pydict() == {
        **PAIRS,
        "text": ["Anna zog 1931 nach Bremen.", "Es ist spät. Niemand sah das Boot.", "1931"],
        "text_pair": ["Wer zog nach Bremen?", "Es ist spät.", "Was ist grün?"],
    }
    assert result == {
        "rows": 3, "kept": 3, "dropped": {}, "sentences": 5, "translated": 5, "reused": 0, "projected": {},
        "translator": result["translator"], "language": "de",
    }  # fmt: skip
    assert provenance(table).notes == (f"translated from en into de by {result['translator']}",)


def test_choices_are_translated_and_the_names_of_relations_are_left_as_they_are(workplace: Workplace) -> None:
    columns = {
        "id": ["1"], "text": ["It is late."], "question": ["effect"],
        "choices": [["Nobody saw the boat.", "What is green?"]], "answer": [1],
    }  # fmt: skip
    table, _ = workplace.run(workplace.stage(Kind.CHOICE, columns))
    assert table.to_pylist() == [
        {
            "id": "1", "group": "1", "text": "Es ist spät.", "question": "effect",
            "choices": ["Niemand sah das Boot.", "Was ist grün?"], "answer": 1,
        }
    ]  # fmt: skip


def test_answers_go_through_the_translator_between_marks(workplace: Workplace) -> None:
    table, result = workplace.run(workplace.stage(Kind.SPAN, QUESTIONS, projection="markers"))
    context = f"{GERMAN[LAMP]} {GERMAN[BOAT]}"
    assert table.column("context").to_pylist() == [context, context, "Es ist spät.\n\nNiemand sah das Boot."]
    assert table.column("answers").to_pylist() == [["Lampe", "Küche"], ["breiten Fluss"], []]
    assert result["projected"] == {"markers": 2, "alignment": 0}
    assert result["kept"] == 3
    for row in table.to_pylist():
        for answer, start in zip(row["answers"], row["answer_starts"], strict=True):
            assert row["context"][start : start + len(answer)] == answer


def test_where_marks_are_lost_words_are_aligned_and_what_is_too_uncertain_is_dropped(workplace: Workplace) -> None:
    columns = {name: values[:2] for name, values in QUESTIONS.items()}
    columns["context"] = [f"{LAMP} [1]", columns["context"][1]]  # brackets of its own: nothing can be marked
    columns["context"][0] = LAMP.replace("green.", "green [1].")
    unsure, result = workplace.run(workplace.stage(Kind.SPAN, columns, min_quality=0.99))
    assert unsure.column("id").to_pylist() == ["2"]
    assert result["dropped"] == {"low quality": 1}
    assert result["kept"] == 1 and result["projected"] == {"markers": 1, "alignment": 0}
    assert provenance(unsure).notes[-1] == "rows dropped, as their labels were lost in translation: 1"
    _, result = workplace.run(workplace.stage(Kind.SPAN, columns, min_quality=0.0))
    assert result["projected"] == {"markers": 1, "alignment": 1}
    _, result = workplace.run(workplace.stage(Kind.SPAN, columns, projection="markers"))
    assert result["dropped"] == {"marks that were lost": 1}


def test_entities_are_tagged_on_the_words_of_the_translation(workplace: Workplace) -> None:
    columns = {
        "id": ["1", "2"],
        "tokens": [["Anna", "moved", "to", "Bremen", "in", "1931", "."], ["It", "is", "late", "."]],
        "tags": [["O", "O", "O", "B-LOC", "O", "O", "O"], ["O"] * 4],
    }
    table, result = workplace.run(workplace.stage(Kind.TAGGING, columns, projection="markers"))
    assert table.column("tokens").to_pylist() == [
        ["Anna", "zog", "1931", "nach", "Bremen", "."],
        ["Es", "ist", "spät", "."],
    ]
    assert table.column("tags").to_pylist() == [["O", "O", "O", "O", "B-LOC", "O"], ["O"] * 4]
    assert result["projected"] == {"markers": 1, "alignment": 0}


def test_a_tag_on_every_word_is_carried_over_by_alignment_alone(workplace: Workplace) -> None:
    columns = {"id": ["1"], "tokens": [["It", "is", "late", "."]], "tags": [["PRON", "AUX", "ADV", "PUNCT"]]}
    table, result = workplace.run(workplace.stage(Kind.TAGGING, columns, min_quality=0.0))
    (row,) = table.to_pylist()
    assert row["tokens"] == ["Es", "ist", "spät", "."]
    assert len(row["tags"]) == 4 and set(row["tags"]) <= {"PRON", "AUX", "ADV", "PUNCT"}
    assert result["projected"] == {"markers": 0, "alignment": 1}
    with pytest.raises(SpecError, match="there is a tag on every word"):
        workplace.run(workplace.stage(Kind.TAGGING, columns, projection="markers"))


def test_no_sentence_is_translated_twice_by_any_stage(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(monkeypatch)
    workplace.run(workplace.stage(Kind.PAIR, PAIRS))
    assert len(counting.sentences) == len(set(counting.sentences)) == 5
    columns = {"id": ["1", "2"], "text": ["It is late.", LAMP], "label": ["a", "b"]}
    _, result = workplace.run(workplace.stage(Kind.SEQUENCE, columns))
    assert counting.sentences[5:] == [LAMP]
    assert (result["reused"], result["translated"]) == (1, 1)
    _, result = workplace.run(workplace.stage(Kind.SEQUENCE, columns, beams=2))  # another translator, so to speak
    assert (result["reused"], result["translated"]) == (0, 2)


def test_a_stage_that_was_stopped_goes_on_where_it_was(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.translate.model.TOKEN_BUDGET", {"cpu": 1, "cuda": 1})  # a sentence a batch
    counting = Counting(monkeypatch)
    stage = workplace.stage(Kind.PAIR, PAIRS)
    real = Cache.add

    def stop_after_two(cache: Cache, batch: Any) -> None:
        real(cache, batch)
        if len(cache.known) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Cache, "add", stop_after_two)
    with pytest.raises(Interrupted, match="2 of 5 sentences translated and saved"):
        execute(workplace.store, stage, Settings())
    assert len(counting.sentences) == 2
    table, result = workplace.run(stage)
    assert len(counting.sentences) == 5
    assert (result["reused"], result["translated"]) == (0, 5)
    assert table.column("text").to_pylist()[0] == "Anna zog 1931 nach Bremen."


@pytest.mark.slow
def test_a_stage_killed_anywhere_gives_the_same_rows_and_two_at_once_translate_nothing_twice(
    workplace: Workplace,
) -> None:
    whole = workplace.stage(Kind.SPAN, QUESTIONS)
    part = workplace.stage(Kind.SEQUENCE, {"id": [*"abcdefgh"], "text": ENGLISH[::-1], "label": ["x"] * 8})
    for stage in (whole, part):
        workplace.run(stage)
    command = [sys.executable, "-m", "tests.translate.crash_everywhere", workplace.store.root, whole.key, part.key]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    *kills, both = map(json.loads, ended.stdout.splitlines())
    assert len(kills) > 5 and any(kill["cut"] for kill in kills)
    for kill in kills:
        assert kill["killed"] and kill["resumed"] and kill["identical"], kill
    assert both["ended"] == [0, 0]
    assert set(both["translated"]) > set(ENGLISH)
    assert set(both["translated"].values()) == {1}


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("fr", r"has no French \(fr\): the nearest it has are German \(de\), English \(en\), Dutch \(nl\)\."),
        ("zh-Hant", r"has no Chinese \(Traditional\) \(zh-Hant\): the nearest it has is Chinese \(zh\)\."),
        ("en", r"The rows are in en already"),
    ],
)
def test_a_language_that_the_translator_has_not_is_one_sentence(
    workplace: Workplace, language: str, sentence: str
) -> None:
    with pytest.raises((ModelError, SpecError), match=sentence):
        workplace.run(workplace.stage(Kind.PAIR, PAIRS, language=language))


def test_an_encoder_alone_is_no_translator(workplace: Workplace, tiny_model: Path) -> None:
    stage = workplace.stage(Kind.PAIR, PAIRS)
    wrong = Stage(stage.function, stage.identity, {"translator": workplace.inputs["encoder"]}, "translate the rows")
    with pytest.raises(ModelError, match="is a bert model, not a translator that Isthmus can address"):
        workplace.run(wrong)


def test_texts_longer_than_the_translator_has_positions_for_are_refused(workplace: Workplace) -> None:
    with pytest.raises(SpecError, match=r"max_length is 1000, but .* reads at most 496 tokens: lower it\."):
        workplace.run(workplace.stage(Kind.PAIR, PAIRS, max_length=1000))


def test_kinds_about_pairs_of_texts_are_refused(workplace: Workplace) -> None:
    stage = workplace.stage(Kind.BITEXT, {"id": ["1"], "source": ["a"], "target": ["b"]})
    with pytest.raises(SpecError, match="A bitext task cannot be translated"):
        workplace.run(stage)
