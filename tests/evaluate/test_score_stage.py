"""The stage `score`: the main metric with its statistics, and further metrics beside."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isthmus.evaluate.score import run


def scored(folder: Path, rows: dict[str, Any], **identity: Any) -> Any:
    predictions = folder / "in/predictions"
    predictions.mkdir(parents=True)
    (folder / "out").mkdir()
    names = [str(number) for number in range(len(rows["gold"]))]
    for language in ("zh", "en"):
        pq.write_table(pa.table({"id": names, "group": names, **rows}), predictions / f"{language}.parquet")
    context = SimpleNamespace(
        stage=SimpleNamespace(identity=identity),
        input_folder=lambda _: folder / "in",
        output=folder / "out",
        warnings=[],
        settings=SimpleNamespace(trackers=()),
    )
    return run(context), context.warnings  # type: ignore[arg-type]


def test_further_metrics_stand_beside_and_know_the_language(tmp_path: Path) -> None:
    rows = {"gold": [["2010年"], ["the cat"]], "prediction": ["2010 年", "cat"]}
    found, warnings = scored(tmp_path, rows, metric="mlqa", also=["mlqa_em", "squad_em"])
    assert found == {
        "metric": "mlqa",
        "scores": {"en": pytest.approx((50 + 50) / 2), "zh": pytest.approx((50 + (100 + 200 / 3) / 2) / 2)},
        "also": {"mlqa_em": {"en": 50, "zh": 50}, "squad_em": {"en": 50, "zh": 50}},
    }
    kept = pq.read_table(tmp_path / "out/statistics.parquet")
    assert kept.column_names == ["language", "id", "group", "exact_match", "f1", "questions"] and len(kept) == 4
    assert warnings == []


def test_without_them_nothing_stands_beside_and_a_collapse_is_said(tmp_path: Path) -> None:
    rows = {"gold": [["x"], ["y"]] * 10, "prediction": [""] * 20}
    found, warnings = scored(tmp_path, rows, metric="squad")
    assert found == {"metric": "squad", "scores": {"en": 0, "zh": 0}}
    assert warnings == ["en: collapsed, every prediction is ''", "zh: collapsed, every prediction is ''"]
