"""The test examples that a report shows: those whose outcome differs, always the same ones, safe to look at."""

import shutil
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.collect import collect
from isthmus.example_texts import VALUE, clean, shown
from isthmus.examples import examples_of
from isthmus.planning.plan import Plan
from isthmus.report.build import page
from isthmus.results import Example, Results
from isthmus.running.runner import states_of
from isthmus.store import Store
from tests.report.finished_study import OVERRIDE, SCRIPT, TAG


@pytest.fixture(scope="module")
def results(finished_study: tuple[Store, Plan]) -> Results:
    store, plan = finished_study
    return collect(plan, store, states_of(plan, store), {}, "", "")


def outcome(results: Results, example: Example, intermediate: str, seed: int) -> float:
    """Right or wrong, in the statistics that the scores are made of."""
    (score,) = [
        score
        for score in results.scores
        if (score.chain.intermediate, score.chain.seed, score.language) == (intermediate, seed, example.language)
    ]
    return float(100 * score.statistics.values[score.statistics.ids.index(example.id), 0])


def test_every_example_is_one_whose_outcome_differs(results: Results) -> None:
    assert len(results.examples) > 10
    for example in results.examples:
        means = [sum(outcome(results, example, name, seed) for seed in (1, 2)) / 2 for name in (TAG, "none")]
        assert [example.score, example.baseline] == means and means[0] != means[1]
        right = [outcome(results, example, name, example.seed) == 100 for name in (TAG, "none")]
        assert right == [example.after == example.gold, example.without == example.gold]
        assert right[0] != right[1] and right[0] == (means[0] > means[1])


def test_they_come_evenly_from_languages_and_from_both_ends(
    finished_study: tuple[Store, Plan], results: Results
) -> None:
    store, plan = finished_study
    some = examples_of(plan, store, results.scores, total=8)
    assert len(some) == 8
    assert {sum(each.language == tag for each in some) for tag in ("de", "sw")} == {4}
    better = [each for each in results.examples if each.score > each.baseline]
    assert sum(each.score > each.baseline for each in some) == (
        4 if 4 <= len(better) <= len(results.examples) - 4 else len(better)
    )


def test_they_are_the_same_every_time_and_none_where_they_are_not_wanted(
    finished_study: tuple[Store, Plan], results: Results
) -> None:
    store, plan = finished_study
    states = states_of(plan, store)
    assert collect(plan, store, states, {}, "", "").examples == results.examples
    assert collect(plan, store, states, {}, "", "", examples=False).examples == ()


def test_rows_that_are_gone_have_no_examples(
    finished_study: tuple[Store, Plan], results: Results, tmp_path: Path
) -> None:
    store, plan = finished_study
    shutil.copytree(store.root, tmp_path / "store", symlinks=True)
    copy = Store(tmp_path / "store")
    for chain in plan.chains:
        tested = plan.stages[chain.predictions or ""].identity["test"]
        copy.data_file(tested["de"]).unlink(missing_ok=True)
    assert {example.language for example in examples_of(plan, copy, results.scores)} == {"sw"}


def test_the_page_shows_them_as_they_are_written(results: Results) -> None:
    html = page(results)
    assert html.count("<script") == 1 and "<img" not in html
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in html and "&lt;img src=x onerror=alert(1) b.csv" in html
    german = next(example for example in results.examples if example.language == "de")
    assert german.texts[0][1].endswith(SCRIPT)
    assert f'<p dir="auto" lang="sw">{OVERRIDE}' in html  # turns nothing around but its own paragraph
    assert "\x07" not in html


def test_costs_data_and_paths_are_those_of_the_plan(finished_study: tuple[Store, Plan], results: Results) -> None:
    _, plan = finished_study
    for chain, path in zip(plan.chains, results.paths, strict=True):
        assert path[-1] == chain.score and chain.model in path and plan.stages[path[0]].function == "model"
        assert all(set(plan.needs(key)) <= set(path[:place]) for place, key in enumerate(path))
    facts = {(fact.task, fact.used, fact.language): fact.rows for fact in results.data}
    assert facts == {
        (TAG, "trained on", "en"): 40,
        ("reviews.csv", "trained on", "en"): 40,
        ("reviews.csv", "measured on", "de"): 40,
        ("reviews.csv", "measured on", "sw"): 40,
    }
    trained = [stage for stage in results.stages if stage.function == "train"]
    assert all(stage.started and stage.size > 0 for stage in trained)


class Names:
    def of(self, name: str) -> str:
        return {"a": "the first", "b": "the second"}.get(name, name)


@pytest.mark.parametrize(
    ("row", "values", "expected"),
    [
        (
            {"kind": "pair", "text": "a cat", "text_pair": "an animal"},
            ("yes", "no", "yes"),
            ((("first", "a cat"), ("second", "an animal")), "yes", "no", "yes"),
        ),
        (
            {"kind": "span", "question": "Who?", "context": f"{'x ' * 200}Ada wrote it", "answer_starts": [400]},
            (["Ada", "Ada L."], "", "Ada"),
            ((("question", "Who?"), ("context", f"… {'x ' * 36}Ada wrote it")), "Ada", "(nothing)", "Ada"),
        ),
        (
            {"kind": "choice", "text": "It rained.", "question": "", "choices": ["wet", "dry"]},
            (0, 1, 0),
            ((("text", "It rained."), ("choices", "wet / dry")), "wet", "dry", "wet"),
        ),
        (
            {"kind": "tagging", "tokens": ["Ada", "sings"]},
            (["B-PER", "O"], ["O", "O"], ["B-PER", "O"]),
            ((("words", "Ada sings"),), "Ada/B-PER", "Ada/O", "Ada/B-PER"),
        ),
        (
            {"kind": "bitext", "source": "der Erste"},
            ("a", "b", "a"),
            ((("text", "der Erste"),), "the first", "the second", "the first"),
        ),
        ({"kind": "mining", "text": "x"}, ([], "", "b"), ((("text", "x"),), "(nothing)", "(nothing)", "the second")),
        (
            {"kind": "ranking", "text": "x"},
            (["a"], ["b", "a"], ["a"]),
            ((("text", "x"),), "the first", "the second", "the first"),
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_each_kind_shows_what_a_person_needs(row: dict, values: tuple, expected: tuple) -> None:
    gold, before, after = values
    found = shown(row, {"gold": gold, "prediction": before}, {"gold": gold, "prediction": after}, Names())
    assert (found.texts, found.gold, found.without, found.after) == expected


@given(
    st.text(alphabet=st.one_of(st.characters(), st.sampled_from("e\u0301\u0308\n\t \x00\u202e\ud800")), max_size=300)
)
def test_a_text_is_cut_to_one_line_without_control_characters_and_not_within_a_letter(text: str) -> None:
    cut = clean(text, VALUE)
    assert len(cut) <= VALUE and "\n" not in cut
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in cut)
    whole = clean(text, 10_000)
    assert cut == whole or (cut.endswith("…") and whole.startswith(cut[:-1]))
