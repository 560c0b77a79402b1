"""Mining finds translations among sentences that mostly have none, from a threshold that only dev pairs decide."""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from isthmus.data.schema import CANDIDATES, Kind, to_table
from isthmus.errors import DataError
from isthmus.evaluate.metrics import metric
from isthmus.kinds import method
from isthmus.kinds.core import Batcher, Limits, Prediction, Search
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.study.spec import Retrieval

NTREX = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "data/parallel/ntrex"
pytestmark = pytest.mark.skipif(not NTREX.is_dir(), reason="no shared data here")
MINING = method(Kind.MINING)


def lines(name: str, rows: range) -> list[str]:
    found = (NTREX / f"newstest2019-{name}.txt").read_text(encoding="utf-8").split("\n")
    return [found[row].rstrip("\r") for row in rows]


def collections(start: int, pairs: int, alone: int) -> tuple[pa.Table, pa.Table]:
    """Sentences of which the first ones are translations of each other, and the others of nothing there."""
    together = range(start, start + pairs)
    foreign = range(start + pairs, start + pairs + alone)
    english = range(start + pairs + alone, start + pairs + 2 * alone)
    texts = lines("ref.deu", together) + lines("ref.deu", foreign)
    targets = [[f"en-{row}"] for row in together] + [[]] * alone
    ids = [f"de-{row}" for row in (*together, *foreign)]
    rows = to_table(Kind.MINING, {"id": ids, "text": texts, "targets": targets}, "rows")
    names = [f"en-{row}" for row in (*together, *english)]
    candidates = lines("src.eng", together) + lines("src.eng", english)
    columns = {"id": names, "group": names, "text": candidates, "context": [""] * len(names)}
    return rows, pa.table(columns, CANDIDATES)


@pytest.fixture(scope="module")
def encoder(embedded_model: Path) -> tuple[Any, Any]:
    return load_model(embedded_model, "AutoModel", [], fresh_head=False).eval(), load_tokenizer(embedded_model)


@pytest.fixture(scope="module")
def known() -> dict[Any, Any]:
    return {}


def mined(
    encoder: tuple[Any, Any], rows: pa.Table, candidates: pa.Table, known: dict[Any, Any], **options: Any
) -> list[Prediction]:
    model, tokenizer = encoder
    dev, dev_candidates = collections(600, 20, 10)
    search = Search(
        "de", Retrieval(**options), tokenizer, Limits(64), {"de": candidates, "fr": rows}, dev, dev_candidates
    )
    with torch.inference_mode():
        features = MINING.encode(rows, tokenizer, None, search.limits)
        return MINING.predict(model, features, rows, (), Batcher(1, 512, known), search)


def f1(rows: pa.Table, found: list[Prediction]) -> float:
    measure = metric("mining_f1")
    statistics = measure.statistics(MINING.golds(rows), [one.value for one in found])
    return float(measure.reduce(statistics.sum(axis=0)))


@pytest.mark.parametrize("direction", ["max", "forward", "backward", "intersect"])
def test_translations_are_found_and_others_left_alone(
    encoder: tuple[Any, Any], known: dict[Any, Any], direction: Any
) -> None:
    rows, candidates = collections(0, 25, 15)
    found = mined(encoder, rows, candidates, known, direction=direction)
    assert f1(rows, found) > 90
    paired = [one for one in found if one.value]
    assert min(one.confidence for one in paired) > max(one.confidence for one in found if not one.value)
    assert {one.value for one in paired} <= set(candidates.column("id").to_pylist())


def test_the_rows_themselves_do_not_move_the_threshold(encoder: tuple[Any, Any], known: dict[Any, Any]) -> None:
    rows, candidates = collections(0, 25, 15)
    column = rows.schema.get_field_index("targets")
    unlabelled = rows.set_column(column, "targets", pa.array([None] * len(rows), rows.schema.field("targets").type))
    labelled = mined(encoder, rows, candidates, known)
    assert labelled == mined(encoder, unlabelled, candidates, known)


def test_a_sentence_that_occurs_again_is_in_no_pair(encoder: tuple[Any, Any], known: dict[Any, Any]) -> None:
    rows, candidates = collections(0, 25, 15)
    before = mined(encoder, rows, candidates, known)
    first, second = [row for row, one in enumerate(before) if one.value][:2]
    texts = rows.column("text").to_pylist()
    texts[-1] = texts[first]
    again = rows.set_column(rows.schema.get_field_index("text"), "text", pa.array(texts))
    after = mined(encoder, again, candidates, known)
    assert before[first].value == f"en-{first}" and after[first].value == after[-1].value == ""
    names = candidates.column("text").to_pylist()
    names[-1] = f" {names[second]} "
    doubled = candidates.set_column(candidates.schema.get_field_index("text"), "text", pa.array(names))
    assert before[second].value == f"en-{second}" and mined(encoder, rows, doubled, known)[second].value == ""


def test_what_mining_needs_is_named(encoder: tuple[Any, Any]) -> None:
    rows, candidates = collections(0, 3, 1)
    model, tokenizer = encoder
    search = Search("de", Retrieval(), tokenizer, Limits(64), {"de": candidates})
    with pytest.raises(DataError, match="de: mining needs the split candidates, and dev and dev_candidates"):
        MINING.predict(model, [], rows, (), Batcher(1, 512, {}), search)
    with pytest.raises(DataError, match="nothing to train on"):
        MINING.loss(model, [], 1, 1.0)
