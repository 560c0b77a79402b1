"""Questions with the contexts that answer them: made up, or those of a file of the shared data."""

import json
import os
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from isthmus.data.schema import Kind, to_table

QA = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "data/qa"
real = pytest.mark.skipif(not QA.is_dir(), reason="no shared data here")


@cache
def squad(name: str) -> pa.Table:
    """The questions of a file in SQuAD's format."""
    articles = json.loads((QA / name).read_text(encoding="utf-8"))["data"]
    rows = [
        (question["question"], paragraph["context"], question["answers"])
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    return table(
        [row[0] for row in rows],
        [row[1] for row in rows],
        [[(answer["text"], answer["answer_start"]) for answer in row[2]] for row in rows],
    )


def table(questions: list[str], contexts: list[str], answers: list[list[tuple[str, int]]]) -> pa.Table:
    columns = {
        "id": [str(row) for row in range(len(questions))],
        "question": questions,
        "context": contexts,
        "answers": [[text for text, _ in row] for row in answers],
        "answer_starts": [[start for _, start in row] for row in answers],
    }
    return to_table(Kind.SPAN, columns, "test")
