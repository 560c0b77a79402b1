"""Ranking: a dual encoder with a learned scale, and one pool of candidates for the queries of all languages."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from safetensors import safe_open
from tests.fit import fit
from tests.tiny import SENTENCES
from torch import nn
from torch.nn import functional
from transformers import AutoModel, AutoModelForSequenceClassification

from isthmus.data.schema import CANDIDATES, Kind, to_table
from isthmus.errors import DataError
from isthmus.evaluate.metrics import metric
from isthmus.kinds import method
from isthmus.kinds.core import Batcher, Limits, Search
from isthmus.model.folder import load_model, load_tokenizer, save_model
from isthmus.model.layout import OTHER_SHARD
from isthmus.model.vocabulary import trim
from isthmus.study.spec import Recipe, Retrieval

LAREQA = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "data/retrieval/lareqa_xquad-r"
real = pytest.mark.skipif(not LAREQA.is_dir(), reason="no shared data here")
RANKING = method(Kind.RANKING)


def rows_of(texts: list[str], right: list[str], contexts: list[str]) -> pa.Table:
    ids = [str(row) for row in range(len(texts))]
    targets = [[name] for name in ids]
    columns = {"id": ids, "text": texts, "target": right, "target_context": contexts, "targets": targets}
    return to_table(Kind.RANKING, columns, "rows")


def pool_of(names: list[str], texts: list[str], contexts: list[str]) -> pa.Table:
    return pa.table({"id": names, "group": names, "text": texts, "context": contexts}, CANDIDATES)


def paragraphs(language: str, count: int) -> list[dict[str, Any]]:
    articles = json.loads((LAREQA / f"{language}.json").read_bytes())["data"]
    return [paragraph for article in articles for paragraph in article["paragraphs"]][:count]


def answers(language: str, count: int) -> tuple[pa.Table, pa.Table]:
    """Questions, and every sentence of the paragraphs they are about."""
    questions: dict[str, list[Any]] = {name: [] for name in ("id", "text", "targets", "target", "target_context")}
    names, texts, contexts = [], [], []
    for number, paragraph in enumerate(paragraphs(language, count), start=1):
        sentences = [paragraph["context"][start:end] for start, end in paragraph["sentence_breaks"]]
        names += [f"{language}_{number}_{row}" for row in range(len(sentences))]
        texts += sentences
        contexts += [paragraph["context"]] * len(sentences)
        for question in paragraph["qas"]:
            at = question["answers"][0]["answer_start"]
            answer = next(row for row, (low, high) in enumerate(paragraph["sentence_breaks"]) if low <= at < high)
            row = (f"{question['id']}_{language}", question["question"], [f"{language}_{number}_{answer}"])
            for name, value in zip(questions, (*row, sentences[answer], paragraph["context"]), strict=True):
                questions[name].append(value)
    return to_table(Kind.RANKING, questions, language), pool_of(names, texts, contexts)


@real
def test_answers_of_all_languages_are_one_pool_that_is_encoded_once(embedded_model: Path) -> None:
    model: Any = load_model(embedded_model, RANKING.auto_class, [], fresh_head=False).eval()
    tokenizer = load_tokenizer(embedded_model)
    sets = {language: answers(language, 4) for language in ("en", "de")}
    pool = {language: candidates for language, (_, candidates) in sets.items()}
    seen: list[int] = []
    model.register_forward_pre_hook(lambda _, __, named: seen.append(len(named["input_ids"])), with_kwargs=True)
    batcher, counts, rankings, scores = Batcher(1, 512, {}), [], {}, {}
    with torch.inference_mode():
        for language, (rows, _) in sets.items():
            search = Search(language, Retrieval(pooling="mean"), tokenizer, Limits(128), pool)
            features = RANKING.encode(rows, tokenizer, None, search.limits)
            found = RANKING.predict(model, features, rows, (), batcher, search)
            rankings[language] = [one.value for one in found]
            golds = RANKING.golds(rows)
            measure = metric("map@20")
            statistics = measure.statistics(golds, rankings[language])
            scores[language] = float(measure.reduce(statistics.sum(axis=0)))
            counts.append(sum(seen))
    candidates = [name for table in pool.values() for name in table.column("id").to_pylist()]
    assert all(sorted(ranking) == sorted(candidates) for both in rankings.values() for ranking in both)
    assert min(scores.values()) > 35, scores
    assert counts[1] - counts[0] <= len(sets["de"][0]), "the second language has its questions encoded, not the pool"


def test_a_candidate_is_its_text_and_its_context_as_one_input(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    rows = rows_of(SENTENCES[:2], SENTENCES[2:4], [" ".join(SENTENCES), ""])
    first, second = RANKING.encode(rows, tokenizer, [], Limits(40))
    assert first.texts[1].count(2) == 3 and len(first.texts[1]) == 40, "<s> text </s> </s> context </s>, cut"
    own = tokenizer(SENTENCES[2])["input_ids"][:-1]
    assert first.texts[1][: len(own)] == own, "the context was cut, not the text"
    assert second.texts[1] == tokenizer(SENTENCES[3])["input_ids"]
    assert [len(feature.texts) for feature in RANKING.encode(rows, tokenizer, None, Limits(40))] == [1, 1]


def test_the_loss_is_that_of_finding_the_right_candidate_of_the_batch(tiny_model: Path) -> None:
    model: Any = load_model(tiny_model, RANKING.auto_class, [], fresh_head=True).eval()
    tokenizer = load_tokenizer(tiny_model)
    features = RANKING.encode(rows_of(SENTENCES[:3], SENTENCES[3:6], [""] * 3), tokenizer, [], Limits(32))
    with torch.no_grad():
        states = [
            torch.stack([model(torch.tensor([feature.texts[side]])).last_hidden_state[0, 0] for feature in features])
            for side in (0, 1)
        ]
        queries, candidates = (functional.normalize(side, dim=1) for side in states)
        expected = functional.cross_entropy(100 * queries @ candidates.T, torch.arange(3))
        torch.testing.assert_close(RANKING.loss(model, features, 1, 0.05), expected)


def test_training_learns_vectors_and_scale_and_leaves_an_ordinary_folder(tiny_model: Path, tmp_path: Path) -> None:
    model: Any = load_model(tiny_model, RANKING.auto_class, [], fresh_head=True, seed=1)
    tokenizer = load_tokenizer(tiny_model)
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0  # vectors of so small a model are mostly noise with it
    rows = rows_of(SENTENCES[:5], SENTENCES[5:], [""] * 5)
    features = RANKING.encode(rows, tokenizer, [], Limits(32))
    trimmed = trim(model, [features], 1)
    assert trimmed is not None
    recipe = Recipe(epochs=40, batch_size=5, learning_rate=3e-3)
    training = fit(RANKING, model, trimmed.features[0], recipe, 1)
    assert training.curve[-1].loss < 0.3 * training.curve[0].loss
    scale = model.logit_scale.item()
    assert scale != 100
    save_model(model, tmp_path, tiny_model, model.get_input_embeddings().weight, trimmed.kept)
    with safe_open(tmp_path / OTHER_SHARD, framework="pt") as file:
        assert float(file.get_tensor("bert.logit_scale")) == scale
    again: Any = load_model(tmp_path, RANKING.auto_class, [], fresh_head=False).eval()
    for auto in (AutoModel, AutoModelForSequenceClassification):
        loaded = auto.from_pretrained(tmp_path)
        torch.testing.assert_close(
            loaded.base_model.encoder.layer[0].output.dense.weight, again.encoder.layer[0].output.dense.weight
        )
    names = [str(row) for row in range(5)]
    search = Search("en", Retrieval(), tokenizer, Limits(32), {"en": pool_of(names, SENTENCES[5:], [""] * 5)})
    with torch.inference_mode():
        found = RANKING.predict(
            again, RANKING.encode(rows, tokenizer, None, Limits(32)), rows, (), Batcher(1, 99, {}), search
        )
    assert [one.value[0] for one in found] == names
    assert load_model(tmp_path, RANKING.auto_class, [], fresh_head=True).logit_scale.item() == 100


def test_a_pool_without_candidates_is_named(tiny_model: Path) -> None:
    model: Any = load_model(tiny_model, RANKING.auto_class, [], fresh_head=False).eval()
    rows = rows_of(SENTENCES[:1], SENTENCES[:1], [""])
    search = Search("en", Retrieval(), load_tokenizer(tiny_model), Limits(32), {})
    with pytest.raises(DataError, match="en: a ranking task needs the split candidates"):
        RANKING.predict(model, [], rows, (), Batcher(1, 99, {}), search)
