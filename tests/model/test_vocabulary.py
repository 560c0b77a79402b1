"""The vocabulary that several tasks use together, and what becomes of the rows that none of them touches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import SENTENCES

from isthmus.data.schema import Kind, to_table
from isthmus.kinds import method
from isthmus.kinds.core import Feature, Limits, inputs_of
from isthmus.kinds.features import Features
from isthmus.model.folder import load_model, load_tokenizer, save_model
from isthmus.model.vocabulary import trim

LABELS = ["yes", "no"]
RATE, DECAY, STEPS = 1e-2, 0.5, 4


def features(folder: Path, texts: list[str]) -> Features:
    columns = {"id": list(map(str, range(len(texts)))), "text": texts, "label": [LABELS[len(t) % 2] for t in texts]}
    how, tokenizer = method(Kind.SEQUENCE), load_tokenizer(folder)
    return how.encode(to_table(Kind.SEQUENCE, columns, "test"), tokenizer, LABELS, Limits(32))  # type: ignore[return-value]


def model_of(folder: Path) -> Any:
    return load_model(folder, "AutoModelForSequenceClassification", LABELS, fresh_head=True, seed=1).eval()


def test_members_share_one_vocabulary_and_the_model_says_of_each_what_it_said(tiny_model: Path) -> None:
    members = [features(tiny_model, SENTENCES[:2]), list(features(tiny_model, SENTENCES[3:4])), Features.of(())]
    model = model_of(tiny_model)
    cpu = torch.device("cpu")
    before = [model(**inputs_of(member, 1, cpu)).logits for member in members[:2]]
    whole = model.get_input_embeddings().weight.detach().clone()
    trimmed = trim(model, members, 1)
    assert trimmed is not None
    used = {token for member in members for feature in member for text in feature.texts for token in text}
    assert trimmed.kept == sorted({0, 1} | used), "up to the padding token all keep their places"
    assert torch.equal(model.get_input_embeddings().weight, whole[trimmed.kept])
    assert [len(member) for member in trimmed.features] == [2, 1, 0]
    for member, small, logits in zip(members, trimmed.features, before, strict=False):
        torch.testing.assert_close(model(**inputs_of(small, 1, cpu)).logits, logits)
        kept = np.asarray(trimmed.kept)
        for one, other in zip(member, small, strict=True):
            assert [kept[text].tolist() for text in other.texts] == list(one.texts)
            assert (one.target, one.example) == (other.target, other.example)


@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_with_decay_used_rows_are_those_of_untrimmed_training_and_others_stay(
    tiny_model: Path, tmp_path: Path, decay: float
) -> None:
    """Untrimmed, the rows that nothing touches shrink by the product of 1 - rate * decay."""
    rows = features(tiny_model, SENTENCES[:3])
    how, saved = method(Kind.SEQUENCE), {}
    kept: list[int] = []
    for name in ("whole", "trimmed"):
        model = model_of(tiny_model)
        used: list[Feature] = list(rows)
        trimmed = trim(model, [rows], 1) if name == "trimmed" else None
        if trimmed is not None:
            used, kept = list(trimmed.features[0]), trimmed.kept
        words = model.get_input_embeddings().weight
        optimizer = torch.optim.AdamW([words], lr=RATE, weight_decay=decay)
        for _ in range(STEPS):
            optimizer.zero_grad()
            how.loss(model, used, 1, 1.0).backward()
            optimizer.step()
        folder = tmp_path / name
        folder.mkdir()
        save_model(model, folder, tiny_model, words, kept or None)
        saved[name] = load_model(folder, "AutoModel", [], fresh_head=False).get_input_embeddings().weight
    before = load_model(tiny_model, "AutoModel", [], fresh_head=False).get_input_embeddings().weight
    touched = torch.zeros(len(before), dtype=torch.bool)
    touched[kept] = True
    assert touched.any() and not touched.all()
    torch.testing.assert_close(saved["trimmed"][touched], saved["whole"][touched], rtol=1e-4, atol=1e-6)
    assert torch.equal(saved["trimmed"][~touched], before[~touched])
    shrunk = before[~touched] * (1 - RATE * decay) ** STEPS
    torch.testing.assert_close(saved["whole"][~touched], shrunk)
    assert torch.equal(saved["whole"][~touched], before[~touched]) == (decay == 0)
