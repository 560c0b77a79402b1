"""The stage `predict`: a model and the test rows of a task in, one Parquet file of predictions a language out.

A file has the columns ``id``, ``group``, ``gold``, ``prediction`` (text, or a list of tags) and ``confidence``, in the
order of the test rows. Languages that an interrupted attempt finished are not done again.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from isthmus.data.catalog import read_rows
from isthmus.data.schema import SCHEMAS, Kind
from isthmus.data.subset import nested_subset
from isthmus.disk import replacing
from isthmus.errors import ModelError
from isthmus.execute import Context, Interrupted
from isthmus.kinds import method
from isthmus.kinds.core import Batcher, Method
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.spec import Recipe
from isthmus.stage import Json

#: Padded tokens in one forward pass: enough to keep two cores or a small GPU busy, small enough for a laptop's memory.
_TOKEN_BUDGET = 512


def run(context: Context) -> dict[str, Json]:
    """Predict every language; writes ``predictions/LANGUAGE.parquet``. Returns the number of rows of each."""
    identity = context.stage.identity
    torch.set_num_threads(context.settings.threads)
    folder = context.input_folder("model") / "model"
    how = method(identity["kind"])
    labels = _labels(folder, Kind(identity["kind"]))
    model = load_model(folder, how.auto_class, labels, fresh_head=False).eval()
    device = _device(context.settings.device)
    model.to(device)
    tokenizer = load_tokenizer(folder)
    done, rows = context.work / "done", {}
    done.mkdir(exist_ok=True)
    languages = list(identity["test"].items())
    for number, (language, fingerprint) in enumerate(languages):
        path = done / f"{language}.parquet"
        if not path.exists():
            table = limited(read_rows(context.store.data_file(fingerprint)), identity.get("limit"))
            with replacing(path) as temporary:
                pq.write_table(_predictions(model, how, table, tokenizer, labels, identity), temporary)
        rows[language] = pq.read_metadata(path).num_rows
        context.report(number + 1, len(languages))
        if context.stopping() and number + 1 < len(languages):
            raise Interrupted(f"{context.stage.title}: stopped after {number + 1} of {len(languages)} languages.")
    done.rename(context.output / "predictions")
    return {"rows": rows, "examples": sum(rows.values())}


def limited(table: pa.Table, limit: int | None) -> pa.Table:
    """At most ``limit`` test rows: the same examples in every language of a parallel set."""
    return table.take(nested_subset(table.column("id").to_pylist(), limit, "test"))


@torch.inference_mode()
def _predictions(
    model: Any, how: Method, table: pa.Table, tokenizer: Any, labels: list[str], identity: Any
) -> pa.Table:
    """The predictions of one language, as the columns of its file."""
    length = identity.get("max_length", Recipe.model_fields["max_length"].default)
    unlabelled: tuple[str, ...] = ()
    features = how.encode(table, tokenizer, unlabelled, length)
    batcher = Batcher(tokenizer.pad_token_id, _TOKEN_BUDGET)
    with torch.autocast(
        next(model.parameters()).device.type, torch.bfloat16, enabled=identity.get("precision") == "bf16"
    ):
        predicted = how.predict(model, features, table, labels, batcher)
    return pa.table(
        {
            "id": table.column("id"),
            "group": table.column("group"),
            "gold": how.golds(table),
            "prediction": [prediction.value for prediction in predicted],
            "confidence": pa.array([prediction.confidence for prediction in predicted], pa.float32()),
        }
    )


def _labels(folder: Path, kind: Kind) -> list[str]:
    """The labels of the model's head, in order."""
    if not {"label", "tags"} & set(SCHEMAS[kind].names):
        return []
    names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label") or {}
    if not names:
        raise ModelError(
            f"{folder}: its configuration names no labels (id2label), so its predictions would mean nothing."
        )
    return [names[str(number)] for number in range(len(names))]


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
