"""The stage `predict`: a model and the test rows of a task in, one Parquet file of predictions a language out.

A file has the columns ``id``, ``group``, ``gold``, ``prediction`` (a text, a number, or a list of tags, tokens or ids)
and ``confidence``, and ``n_best`` where a kind weighs many texts, in the order of the test rows. Languages that an
interrupted attempt finished are not done again.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
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
from isthmus.evaluate.sweep import sweep_of
from isthmus.kinds import method
from isthmus.kinds.core import TOKEN_BUDGET, Batcher, Limits, Method, Search, device_called, golds_of
from isthmus.kinds.features import Features
from isthmus.model.folder import load_model
from isthmus.model.heads import head_of
from isthmus.model.tokens import LazyTokenizer, tokens_of
from isthmus.running.execute import Context, Interrupted
from isthmus.stage import Json
from isthmus.study.spec import Recipe, Retrieval

#: Rows predicted between two savings, when one language has fewer.
_GROUP_ROWS = 500
_N_BEST = pa.list_(pa.struct([("text", pa.string()), ("score", pa.float32())]))


def run(context: Context) -> dict[str, Json]:
    """Predict every language; writes ``predictions/LANGUAGE.parquet``. Returns the number of rows of each.

    A sweep over layers writes ``layers.json`` too, and returns what it holds as ``layers``.
    """
    identity = context.stage.identity
    torch.set_num_threads(context.settings.threads)
    folder = context.input_folder("model") / "model"
    sweep = sweep_of(_options(context), identity["kind"])
    how = sweep or method(identity["kind"])
    head = identity.get("head", "")
    labels = list(head_of(folder, head).labels) if head else _labels(folder, Kind(identity["kind"]))
    model = load_model(folder, how.auto_class, labels, fresh_head=False, head=head).eval()
    device = device_called(context.settings.device)
    model.to(device)
    tokenizer = LazyTokenizer(folder)
    known: dict[tuple[int, ...] | str, torch.Tensor] = {}
    done = _finished_languages(context.work, how)
    tables = {
        language: limited(read_rows(context.store.data_file(fingerprint)), identity.get("limit"))
        for language, fingerprint in identity["test"].items()
    }
    rows = {language: len(table) for language, table in tables.items()}
    saved = 0
    for group in _groups(sweep.first(rows) if sweep else rows, how.independent):
        if context.stopping():
            raise Interrupted(f"{context.stage.title}: stopped, with {saved} of {len(tables)} languages saved.")
        saved += len(group)
        if all((done / f"{language}.parquet").exists() for language in group):
            continue
        whole = pa.concat_tables([tables[language] for language in group])
        search = _search(context, tokenizer, group[0])
        features, pad = tokens_of(context.store, whole, Kind(identity["kind"]), tokenizer, None, search.limits)
        batcher = Batcher(pad, TOKEN_BUDGET[device.type], known)
        with torch.autocast(device.type, torch.bfloat16, enabled=identity.get("precision") == "bf16"):
            predicted = _predictions(model, how, features, whole, labels, batcher, search)
        start = 0
        for language in group:
            with replacing(done / f"{language}.parquet") as temporary:
                pq.write_table(predicted.slice(start, rows[language]), temporary)
            start += rows[language]
        context.report(saved, len(tables))
    done.rename(context.output / "predictions")
    swept = {"layers": sweep.save(context.output)} if sweep is not None else {}
    return {"rows": rows, "examples": sum(rows.values()), **swept}


def _finished_languages(work: Path, how: Method) -> Path:
    """The folder of the languages that an interrupted attempt finished, without what it left half-written.

    Where rows are looked for among each other, vectors are shared between languages, and which texts were embedded in
    one batch decides their last bits: there the stage begins again.
    """
    done = work / "done"
    if not how.independent:
        shutil.rmtree(done, ignore_errors=True)
    done.mkdir(exist_ok=True)
    for left in done.glob(".*.tmp"):
        left.unlink()
    return done


def _groups(rows: Mapping[str, int], independent: bool) -> Iterator[list[str]]:
    """Languages whose rows are batched together: short test sets fill each other's batches.

    A function of all languages, so that a resumed stage forms the same batches and gives the same bits.
    """
    group: list[str] = []
    for language, count in rows.items():
        group.append(language)
        if not independent or sum(rows[member] for member in group) + count > _GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group


def limited(table: pa.Table, limit: int | None) -> pa.Table:
    """At most ``limit`` test rows: the same examples in every language of a parallel set."""
    return table.take(nested_subset(table.column("id").to_pylist(), limit, "test"))


def _options(context: Context) -> Retrieval:
    return Retrieval.model_validate(context.stage.identity.get("retrieval", {}))


def _search(context: Context, tokenizer: Any, language: str) -> Search:
    """What the rows of ``language`` are looked for among, as the stage's identity says."""
    identity = context.stage.identity
    fields = Recipe.model_fields
    limits = Limits(*(identity.get(name, fields[name].default) for name in ("max_length", "stride")))

    def tables(split: str) -> dict[str, pa.Table]:
        named = identity.get(split, {})
        return {language: read_rows(context.store.data_file(rows)) for language, rows in named.items()}

    dev, dev_candidates = (tables(split).get(language) for split in ("dev", "dev_candidates"))
    options = _options(context)
    no_answer = identity.get("no_answer", False)
    return Search(language, options, tokenizer, limits, tables("candidates"), dev, dev_candidates, no_answer)


@torch.inference_mode()
def _predictions(
    model: Any, how: Method, features: Features, table: pa.Table, labels: list[str], batcher: Batcher, search: Search
) -> pa.Table:
    """The predictions for ``table``, as the columns of a file."""
    predicted = how.predict(model, features, table, labels, batcher, search)
    columns = {
        "id": table.column("id"),
        "group": table.column("group"),
        "gold": golds_of(how, table, predicted),
        "prediction": [prediction.value for prediction in predicted],
        "confidence": pa.array([prediction.confidence for prediction in predicted], pa.float32()),
    }
    if any(prediction.n_best for prediction in predicted):
        rows = [[{"text": text, "score": score} for text, score in prediction.n_best] for prediction in predicted]
        columns["n_best"] = pa.array(rows, _N_BEST)
    return pa.table(columns)


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
