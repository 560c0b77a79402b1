"""What is refused, in one sentence that names file and line; and what is read although it looks odd."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import DataError, IsthmusError, SpecError
from isthmus.evaluate.official.folder import Pair
from isthmus.evaluate.official.forms import form_of
from isthmus.evaluate.official.scoring import score_folders, score_pair
from isthmus.tasks.suites import suite
from tests.evaluate.conftest import write_tree


def scored(folder: Path, task: str, predictions: str | bytes, labels: str | bytes, convention: Any = "1.2.2") -> Any:
    suffix = form_of(task).suffix
    write_tree(folder, {f"p/test-en.{suffix}": predictions, f"l/test-en.{suffix}": labels})
    return score_pair(task, "en", Pair(folder / f"p/test-en.{suffix}", folder / f"l/test-en.{suffix}"), convention)


def squad(answers: Any, **more: Any) -> str:
    return json.dumps({"data": [{"paragraphs": [{"context": "-", "qas": [{"id": "q", "answers": answers, **more}]}]}]})


REFUSED = {
    "more rows": ("xnli", "a\nb\n", "a\n", r"p/test-en\.tsv has 2 rows, but .*l/test-en\.tsv has 1"),
    "an empty line more": ("pawsx", "a\n\n", "a\n", "has 2 rows"),
    "nothing": ("xnli", "", "", "empty"),
    "not UTF-8": ("xnli", b"a\n\xff\n", "a\nb\n", r"p/test-en\.tsv, line 2: this is not UTF-8"),
    "stripped labels": ("xnli", "0\n" * 200, "0\n" * 200, "all 200 labels are '0', so the labels were taken out"),
    "stripped tags": ("panx", "B-X\n\n" * 200, "O\n\n" * 200, "labels were taken out"),
    "other sentences": ("panx", "O\nO\n\nO\n", "O\nO\n", r"has 2 sentences, but .*has 1: they must be as many"),
    "a sentence cut": (
        "udpos",
        "A\n\nA\nB\n\nC\n",
        "A\n\nA\n\nC\n",
        r"p/test-en\.tsv, line 3: sentence 2 has 2 tags, but 1 in .*l/test-en\.tsv, line 3",
    ),
    "an empty line of JSON": ("xcopa", '{"label": 1}\n\n', '{"label": 1}\n{"label": 0}\n', "line 2 is empty"),
    "a line that is no JSON": (
        "xcopa",
        '{"label": 1\n',
        '{"label": 1}\n',
        r"test-en\.jsonl, line 1, column 12: .*JSON",
    ),
    "a line without a label": ("xcopa", '{"idx": 1}\n', '{"label": 1}\n', "line 1 is no JSON object with a label"),
    "broken JSON": ("xquad", '{"q":\n "x"', squad([{"text": "x"}]), r"p/test-en\.json, line 2, column 5: .*not JSON"),
    "deep JSON": ("xquad", "[" * 100_000, squad([{"text": "x"}]), "nested too deeply"),
    "a list of answers": ("xquad", '["x"]', squad([{"text": "x"}]), "holds a list, where an object"),
    "an answer that is no text": ("tydiqa", '{"q": null}', squad([{"text": "x"}]), "the answer to 'q' is no text"),
    "no gold": ("mlqa", '{"q": "x"}', squad([]), r"article 1, paragraph 1, question 1 \(q\) has no gold answer"),
    "a gold without a text": ("mlqa", '{"q": "x"}', squad([{}]), "has an answer without a text"),
    "labels of another form": ("xquad", '{"q": "x"}', '{"q": "x"}', "no list of articles"),
    "no paragraphs": ("xquad", "{}", '{"data": [{}]}', "article 1, no list of paragraphs"),
    "no questions": ("xquad", "{}", '{"data": []}', "holds no question"),
    "an id that is no text": ("xquad", "{}", squad([], id=3), "question 1 has no id"),
    "stripped answers": (
        "xquad",
        "{}",
        json.dumps([{"paragraphs": [{"qas": [{"id": f"{n}", "answers": [{"text": ""}]} for n in range(100)]}]}]),
        "no question has an answer, so the labels were taken out",
    ),
    "a gold list that is empty": ("mewslix", '{"a": ["Q"]}', '{"a": []}', "'a' is an empty list"),
    "a ranking that is a text": ("mewslix", '{"a": "Q1"}', '{"a": ["Q1"]}', "'a' is a text: it must be a list"),
    "a ranking of numbers": ("lareqa", '{"a": [1]}', '{"a": ["Q1"]}', "'a' holds a number"),
    "no query": ("lareqa", "{}", "{}", "holds no query"),
}


@pytest.mark.parametrize(("task", "predictions", "labels", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, task: str, predictions: Any, labels: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as caught:
        scored(tmp_path, task, predictions, labels)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_line_ends_of_any_system_and_a_last_line_without_one(tmp_path: Path) -> None:
    for labels in ("a\r\nb\r\nc\r\n", "a\rb\rc", "a\n b \u3000\nc", "\ufeffa\nb\nc\n"):
        assert scored(tmp_path, "xnli", "a\nb\nd", labels)["accuracy"] == pytest.approx(200 / 3)
    assert scored(tmp_path, "panx", "\ufeffB-X\r\nI-X\r\n\r\nO", "B-X\nI-X\n\nO\n\n")["f1"] == 100
    assert scored(tmp_path, "xquad", "\ufeff" + '{"q": "x"}', squad([{"text": "x"}]))["f1"] == 100


def test_only_the_line_feed_and_carriage_return_end_a_line(tmp_path: Path) -> None:
    assert scored(tmp_path, "xnli", "a\u2028b\n", "a\u2028b\n")["accuracy"] == 100
    assert scored(tmp_path, "xnli", "a\x85b\x0cc\n", "a\x85b\x0cc\n")["accuracy"] == 100


def test_inner_white_space_and_case_count(tmp_path: Path) -> None:
    assert scored(tmp_path, "xnli", "a b\nA\n", "a\tb\na\n")["accuracy"] == 0


def test_labels_of_json_lines_are_compared_as_values(tmp_path: Path) -> None:
    predictions = '{"label": 1.0}\n{"label": true}\n{"label": "1"}\n{"label": null, "idx": 7}\n'
    assert scored(tmp_path, "xcopa", predictions, '{"label": 1}\n' * 4)["accuracy"] == 50


def test_a_question_without_prediction_or_gold_counts_as_wrong(tmp_path: Path) -> None:
    assert scored(tmp_path, "xquad", '{"other": 3}', squad([])) == {"exact_match": 0, "f1": 0}


def test_pairs_of_bucc_are_a_set_of_lines(tmp_path: Path) -> None:
    found = scored(tmp_path, "bucc2018", "a\tb\na\tb\nc\td\tx\n", "a\tb\nc\td\n\n")
    assert found == {"f1": pytest.approx(40), "precision": 50, "recall": pytest.approx(100 / 3)}
    assert scored(tmp_path, "bucc2018", "", "") == {"f1": 0, "precision": 0, "recall": 0}


def test_lareqa_has_a_form_and_many_right_answers(tmp_path: Path) -> None:
    found = scored(tmp_path, "lareqa", '{"q": ["x", "a", "b"], "z": 3}', '{"q": ["a", "b"], "r": ["a"]}')
    assert found == {"map@20": pytest.approx(100 * (1 / 2 + 2 / 3) / 2 / 2)}


def test_the_older_convention_scores_unlike_lengths_and_says_so(tmp_path: Path) -> None:
    assert scored(tmp_path, "panx", "B-X\n\nO\nO\n", "B-X\nO\n\nO\n", "0.0.12")["f1"] == 100
    form = form_of("panx", "0.0.12")
    read = form.read(tmp_path / "p/test-en.tsv", tmp_path / "l/test-en.tsv", "en")
    assert "line 1: sentence 1 has 1 tags, but 2" in read.notes[0]


CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet='ab\n\r\t -OBI"{}[]:,1\ufeff', max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["data", "paragraphs", "qas", "id", "answers", "text", "label", "q"]), inner
            )
        ),
        max_leaves=12,
    ).map(json.dumps),
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["xnli", "udpos", "xcopa", "xquad", "mlqa", "bucc2018", "mewslix", "lareqa"]), CONTENTS, CONTENTS
)
def test_any_content_is_scored_or_refused(tmp_path_factory: Any, task: str, predictions: Any, labels: Any) -> None:
    try:
        found = scored(tmp_path_factory.getbasetemp() / "fuzz", task, predictions, labels)
    except DataError as error:
        assert "test-en" in str(error) and "\n" not in str(error)
    else:
        assert all(0 <= value <= 100 for value in found.values())


XCOPA = {
    f"{side}/xcopa/test-{language}.jsonl": '{"label": 1}\n{"label": 0}\n'
    for side in "pl"
    for language in suite("xtreme-r").languages["xcopa"]
}


def test_what_one_side_lacks_is_missing(tmp_path: Path) -> None:
    write_tree(tmp_path, XCOPA)
    folders, of = (tmp_path / "p", tmp_path / "l"), suite("xtreme-r")
    assert score_folders(*folders, of).averages.groups == {"multi_choice": 100}
    (tmp_path / "l/xnli").mkdir()
    with pytest.raises(DataError, match=r"p/xnli is missing: add what is missing, or .*--partial"):
        score_folders(*folders, of)
    with pytest.raises(DataError, match=r"p/lareqa, .*l/lareqa are missing"):
        score_folders(*folders, of, tasks=["xcopa", "lareqa"])
    assert score_folders(*folders, of, tasks=["xcopa"]).found.missing == ()
    (tmp_path / "p/xcopa/test-zh.jsonl").unlink()
    found = score_folders(*folders, of, partial=True)
    assert [path.name for path in found.found.missing] == ["xnli", "test-zh.jsonl"]
    assert found.averages.groups == {} and found.averages.tasks == {"xcopa": 100}


def test_wrong_folders_and_names(tmp_path: Path) -> None:
    of = suite("xtreme")
    for side in "pl":
        (tmp_path / side).mkdir()
    with pytest.raises(DataError, match="hold nothing of XTREME"):
        score_folders(tmp_path / "p", tmp_path / "l", of)
    cases: list[tuple[type[IsthmusError], str, list[str]]] = [
        (SpecError, "there is no such folder", []),
        (SpecError, r"XTREME has no task 'xnlI': did you mean xnli", ["xnlI"]),
    ]
    for error, sentence, tasks in cases:
        with pytest.raises(error, match=sentence):
            score_folders(tmp_path / ("p" if tasks else "nowhere"), tmp_path / "l", of, tasks=tasks)
