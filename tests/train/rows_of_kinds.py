"""A few rows of every kind that is trained, made from the sentences of `tests.tiny`, and models to train on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from tests.tiny import SENTENCES

from isthmus.data.schema import Kind, to_table
from isthmus.kinds import method
from isthmus.kinds.core import Limits
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.train.heads import Heads
from isthmus.train.loop import Member

LABELS: dict[Kind, list[str]] = {
    Kind.SEQUENCE: ["short", "long"],
    Kind.PAIR: ["same", "other"],
    Kind.TAGGING: ["O", "B-P"],
}
KINDS = (Kind.SEQUENCE, Kind.PAIR, Kind.TAGGING, Kind.SPAN, Kind.CHOICE, Kind.BITEXT, Kind.RANKING, Kind.TEXT)


def rows_of(kind: Kind, count: int) -> pa.Table:
    """``count`` rows; sentences of several lengths."""
    texts = [" ".join([SENTENCES[row % 10]] * (1 + row % 3)) for row in range(count)]
    columns: dict[str, Any] = {"id": [str(row) for row in range(count)]}
    if kind in (Kind.SEQUENCE, Kind.PAIR):
        columns |= {"text": texts, "label": [LABELS[kind][len(text) % 2] for text in texts]}
        columns |= {"text_pair": texts[::-1]} if kind is Kind.PAIR else {}
    elif kind is Kind.TAGGING:
        tokens = [text.split() for text in texts]
        columns |= {"tokens": tokens, "tags": [["B-P" if word.istitle() else "O" for word in row] for row in tokens]}
    elif kind is Kind.SPAN:
        words = [text.split()[2] for text in texts]
        starts = [[text.index(word)] for text, word in zip(texts, words, strict=True)]
        columns |= {"question": ["what is it"] * count, "context": texts}
        columns |= {"answers": [[word] for word in words], "answer_starts": starts}
    elif kind is Kind.CHOICE:
        columns |= {"text": texts, "question": ["what is it"] * count, "answer": [row % 2 for row in range(count)]}
        columns |= {"choices": [["yes", "no", "a boat"][: 2 + row % 2] for row in range(count)]}
    elif kind is Kind.BITEXT:
        columns |= {"source": texts, "target": texts[::-1]}
    elif kind is Kind.RANKING:
        ids = [[str(row)] for row in range(count)]
        columns |= {"text": texts, "target": texts[::-1], "target_context": [""] * count, "targets": ids}
    else:
        columns |= {"text": texts}
    return to_table(kind, columns, "test")


def member_of(kind: Kind, folder: Path, count: int, batch_size: int) -> Member:
    """A member of a training on ``count`` rows."""
    how = method(kind)
    features = how.encode(rows_of(kind, count), load_tokenizer(folder), LABELS.get(kind, []), Limits(32, 8))
    return Member(str(kind), how, features, batch_size, masked=kind is Kind.TEXT)


def model_for(kinds: Sequence[Kind], folder: Path) -> Any:
    """A model with the head of the one kind, or heads for several; without dropout."""
    models: list[Any] = [
        load_model(folder, method(kind).auto_class, LABELS.get(kind, []), fresh_head=True, seed=1) for kind in kinds
    ]
    model = models[0] if len(models) == 1 else Heads(models)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model
