"""Bitext on real sentences: both directions, margins, and a sweep over layers that the test never decides."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from isthmus.api import make_plan
from isthmus.data.schema import Kind, to_table
from isthmus.errors import SpecError
from isthmus.kinds.bitext import BITEXT
from isthmus.kinds.core import Batcher, Limits, Search
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.running.execute import execute
from isthmus.stage import Settings
from isthmus.store import Store
from isthmus.study.spec import Retrieval, Study
from isthmus.tasks.core import Split, Task

TATOEBA = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "data/retrieval/tatoeba_v1"
pytestmark = pytest.mark.skipif(not TATOEBA.is_dir(), reason="no shared data here")
CODES = {"it": "ita", "hr": "hrv", "eu": "eus"}


def pairs(language: str, rows: int) -> pa.Table:
    source, target = (
        (TATOEBA / f"tatoeba.{CODES[language]}-eng.{side}").read_text(encoding="utf-8").split("\n")[:rows]
        for side in (CODES[language], "eng")
    )
    ids = [str(row) for row in range(rows)]
    return to_table(Kind.BITEXT, {"id": ids, "source": source, "target": target}, language)


@pytest.fixture(scope="module")
def encoder(embedded_model: Path) -> tuple[Any, Any]:
    return load_model(embedded_model, "AutoModel", [], fresh_head=False).eval(), load_tokenizer(embedded_model)


def accuracy(encoder: tuple[Any, Any], table: pa.Table, batcher: Batcher, **options: Any) -> float:
    model, tokenizer = encoder
    search = Search("de", Retrieval(**options), tokenizer, Limits(128))
    with torch.inference_mode():
        found = BITEXT.predict(model, BITEXT.encode(table, tokenizer, None, search.limits), table, (), batcher, search)
    right = [one.value == gold for one, gold in zip(found, BITEXT.golds(table), strict=True)]
    return 100 * sum(right) / len(right)


def test_both_directions_margins_and_similarities(encoder: tuple[Any, Any]) -> None:
    table, batcher = pairs("eu", 90), Batcher(1, 512, {})
    plain = accuracy(encoder, table, batcher)
    assert plain == accuracy(encoder, table, batcher, direction="backward", similarity="cosine", margin="none")
    assert plain == accuracy(encoder, table, batcher, margin="absolute") > 40
    assert accuracy(encoder, table, batcher, margin="ratio") > plain
    assert accuracy(encoder, table, batcher, direction="forward") != plain
    assert accuracy(encoder, table, batcher, similarity="l2") > 40
    assert len(batcher.known) <= 2 * len(table), "each text was encoded once for all of these"


class Tatoeba:
    def identity(self) -> Mapping[str, str]:
        return {"rows": "30"}

    def load(self, split: Split, language: str) -> pa.Table:
        return pairs(language, 30)


TASK = Task("sentences", Kind.BITEXT, "", tuple(CODES), "accuracy", Tatoeba(), "CC BY 2.0 FR", "annotated", None)


def swept(folder: Path, store: Store, retrieval: dict[str, Any]) -> dict[str, Any]:
    """The result of the stage `predict` and the folder of its predictions."""
    fields = {"models": [str(folder)], "targets": ["sentences"], "retrieval": retrieval, "recipe": {"max_length": 64}}
    planned = make_plan(Study.model_validate(fields), store, "evaluation", tasks=[TASK])
    for stage in planned.stages.values():
        execute(store, stage, Settings(device="cpu"))
    key = planned.chains[0].predictions
    assert key is not None
    record = store.record(key)
    assert record is not None
    return {**record.result, "folder": store.stage_folder(key), "seen": planned.chains[0].score}


def test_a_sweep_chooses_on_the_dev_language_and_predicts_by_that_layer(tiny_model: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    found = swept(tiny_model, store, {"layer": "all", "dev_language": "hr"})
    layers = found["layers"]
    assert layers == json.loads((found["folder"] / "layers.json").read_text())
    assert layers["dev_language"] == "hr" and set(layers["accuracy"]) == set(CODES)
    assert layers["accuracy"]["hr"][layers["layer"]] == max(layers["accuracy"]["hr"])
    assert list(found["rows"]) == list(CODES)
    score = store.record(found["seen"])
    assert score is not None
    for language, scores in layers["accuracy"].items():
        assert score.result["scores"][language] == pytest.approx(scores[layers["layer"]])
    for layer in range(3):
        single = swept(tiny_model, store, {"layer": layer})
        assert "layers" not in single
        for language in CODES:
            tables = [pq.read_table(one["folder"] / f"predictions/{language}.parquet") for one in (found, single)]
            right = sum(
                gold == guess
                for gold, guess in zip(
                    *(tables[1].column(name).to_pylist() for name in ("gold", "prediction")), strict=True
                )
            )
            assert layers["accuracy"][language][layer] == pytest.approx(100 * right / 30)
            if layer == layers["layer"]:
                assert tables[0].column("prediction").equals(tables[1].column("prediction"))


def test_a_dev_language_that_is_not_measured(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"dev_language: sw is not among the languages that sentences is measured in"):
        swept(tiny_model, Store.open(tmp_path / "store"), {"layer": "all", "dev_language": "sw"})
