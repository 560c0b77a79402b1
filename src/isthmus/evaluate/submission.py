"""Predictions as the official folder: ``TASK/test-LANGUAGE.tsv``, ``.json`` or ``.jsonl``, as its evaluator reads them.

- classification: a label a line; tagging: a tag a line, an empty line after each sentence
- questions with an answer in a paragraph: ``{question id: text}``
- multiple choice: JSON Lines with ``idx`` and ``label``, the position of the choice
- sentence retrieval: the position, from 0, of the foreign line found for each English line
- bitext mining: foreign id, a tab, English id
- ranking: ``{query id: [ids of candidates, the best first]}``
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from isthmus.data.schema import Kind
from isthmus.disk import write_atomic

#: What a reader puts after an id that occurs again: the official files have the id alone.
_AGAIN = re.compile(r"#\d+$")

Rows = list[tuple[str, Any]]  # id and prediction


def write_predictions(folder: Path, task: str, kind: Kind, predictions: Mapping[str, Path]) -> list[Path]:
    """Write the predictions of a task; returns the files.

    Args:
        folder: of the submission; ``task`` becomes a folder in it.
        task: the official name, such as ``xnli``.
        kind: of the task.
        predictions: by language, the Parquet file of a stage `predict`.
    """
    suffix, form = _FORMS[kind]
    written = []
    (folder / task).mkdir(parents=True, exist_ok=True)
    for language, source in predictions.items():
        table = pq.read_table(source, columns=["id", "prediction"])
        rows = list(zip(table.column("id").to_pylist(), table.column("prediction").to_pylist(), strict=True))
        path = folder / task / f"test-{language}.{suffix}"
        write_atomic(path, form(rows).encode())
        written.append(path)
    return written


def _lines(rows: Rows) -> str:
    return "".join(f"{value}\n" for _, value in rows)


def _sentences(rows: Rows) -> str:
    return "".join("".join(f"{tag}\n" for tag in tags) + "\n" for _, tags in rows)


def _answers(rows: Rows) -> str:
    return json.dumps({_AGAIN.sub("", name): text for name, text in rows}, ensure_ascii=False)


def _choices(rows: Rows) -> str:
    return "".join(json.dumps({"idx": number, "label": value}) + "\n" for number, (_, value) in enumerate(rows))


def _positions(rows: Rows) -> str:
    position = {name: number for number, (name, _) in enumerate(rows)}
    return "".join(f"{position[value]}\n" for _, value in rows)


def _pairs(rows: Rows) -> str:
    return "".join(f"{name}\t{value}\n" for name, value in rows if value)


def _rankings(rows: Rows) -> str:
    return json.dumps(dict(rows), ensure_ascii=False)


_FORMS: Mapping[Kind, tuple[str, Callable[[Rows], str]]] = {
    Kind.SEQUENCE: ("tsv", _lines),
    Kind.PAIR: ("tsv", _lines),
    Kind.TAGGING: ("tsv", _sentences),
    Kind.SPAN: ("json", _answers),
    Kind.CHOICE: ("jsonl", _choices),
    Kind.BITEXT: ("tsv", _positions),
    Kind.MINING: ("tsv", _pairs),
    Kind.RANKING: ("json", _rankings),
}
