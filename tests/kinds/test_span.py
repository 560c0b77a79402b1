"""Questions: windows lose nothing, answers are letters of the context, and nothing depends on how they are batched."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fit import fit
from tests.questions import real, squad, table

from isthmus.evaluate.metrics import metric
from isthmus.kinds.core import Batcher, Limits, Search, inputs_of
from isthmus.kinds.pairs import template_of
from isthmus.kinds.span import LONGEST, N_BEST, SPAN, Boundaries, best_spans, stretches
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.model.vocabulary import trim
from isthmus.study.spec import Recipe, Retrieval

OFFICIAL = Limits(384, 128)


def search(tokenizer: Any, limits: Limits, no_answer: bool = False) -> Search:
    return Search("en", Retrieval(), tokenizer, limits, no_answer=no_answer)


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Any:
    return load_tokenizer(tiny_model)


@pytest.fixture(scope="module")
def embedded(embedded_model: Path) -> Any:
    return load_tokenizer(embedded_model)


@pytest.fixture(scope="module")
def reader(tiny_model: Path) -> Any:
    return load_model(tiny_model, SPAN.auto_class, [], fresh_head=True, seed=3).eval()


# Windows


@given(st.integers(0, 500), st.integers(1, 90), st.integers(1, 200))
def test_windows_hold_every_token_and_begin_as_far_apart_as_they_are_told_but_share_something(
    tokens: int, room: int, stride: int
) -> None:
    windows = list(stretches(tokens, room, stride))
    assert {token for first, last in windows for token in range(first, last)} == set(range(tokens))
    assert all(last - first <= room for first, last in windows)
    for before, after in itertools.pairwise(windows):
        assert after[0] - before[0] == (stride if stride < room else (room + 1) // 2)
        assert room == 1 or after[0] < before[1]


@real
@pytest.mark.parametrize("limits", [OFFICIAL, Limits(128, 24)])
def test_windows_are_those_that_the_tokenizer_itself_would_make(embedded: Any, limits: Limits) -> None:
    rows = squad("xquad/xquad.zh.json").slice(0, 60)
    ours = [feature.texts[0] for feature in SPAN.encode(rows, embedded, None, limits)]
    theirs = []
    for question, context in zip(rows["question"].to_pylist(), rows["context"].to_pylist(), strict=True):
        asked = len(embedded(question, add_special_tokens=False)["input_ids"])
        pair = {"truncation": "only_second", "max_length": limits.max_length, "return_overflowing_tokens": True}
        shared = limits.max_length - limits.stride - asked - 4  # as XTREME's script has it
        theirs.extend(embedded(question, context, **pair, stride=shared)["input_ids"])
    embedded.backend_tokenizer.no_truncation()
    assert ours == theirs


@pytest.mark.parametrize("max_length", [8, 24, 64])
def test_only_a_question_that_leaves_less_room_than_the_longest_answer_is_cut(tiny: Any, max_length: int) -> None:
    contexts = ["a small boat crosses the wide river " * 4] * 2
    rows = table(["the lamp", "the lamp in the kitchen is green " * 9], contexts, [[], []])
    short, long = tiny(rows["question"].to_pylist(), add_special_tokens=False)["input_ids"]
    features = SPAN.encode(rows, tiny, None, Limits(max_length, 128))
    places = max_length - 4
    room = min(LONGEST, places // 2)
    for feature, question in zip(
        [next(f for f in features if f.example == row) for row in (0, 1)], (short, long), strict=True
    ):
        kept = feature.texts[0].index(2) - 1
        assert feature.texts[0][1 : kept + 1] == question[:kept]
        assert kept == min(len(question), places - room)
    assert all(feature.length <= max_length for feature in features)


# Targets


@real
@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("xquad/xquad.en.json", 96.89),
        ("xquad/xquad.de.json", 97.98),
        ("xquad/xquad.es.json", 95.97),
        ("xquad/xquad.tr.json", 98.82),
        ("xquad/xquad.zh.json", 98.66),
        ("mlqa/dev/dev-context-zh-question-zh.json", 94.84),
    ],
)
def test_the_target_stands_for_the_answer_or_for_the_whole_tokens_it_touches(
    embedded: Any, name: str, exact: float
) -> None:
    """What is not exact is a token that holds more than the answer: `2015,`, `(118)`, German `Mannings`."""
    rows = squad(name)
    learnt, asked = (SPAN.encode(rows, embedded, labels, OFFICIAL) for labels in ([], None))
    contexts, golds, starts = (rows[column].to_pylist() for column in ("context", "answers", "answer_starts"))
    equal = [False] * len(rows)
    reached = set()
    for feature, places in zip(learnt, (window.places for window in asked), strict=True):
        if feature.target == (0, 0):
            continue
        row, (first, last) = feature.example, feature.target
        start, end, gold = int(places[first, 0]), int(places[last, 1]), golds[row][0]
        reached.add(row)
        equal[row] = contexts[row][start:end] == gold
        assert start <= starts[row][0] < starts[row][0] + len(gold) <= end
        assert end - start < len(gold) + 20
    assert reached == set(range(len(rows)))
    assert 100 * sum(equal) / len(rows) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("🙂👨‍👩‍👧 die Lampe", "die"),
        ("Kü\u0308che ist grün", "ist"),
        ("ประเทศไทยเป็นประเทศ", "เป็น"),
        ("它在1893年成立。", "1893"),
        ("東京は、日本の首都。", "首都"),
        ("x\u200b\u00a0\u00a0the  lamp", "lamp"),
        ("العالم\u200f مرحبا", "مرحبا"),
        ("½ ㌔ ﬁne lamps", "ﬁne"),
    ],
)
def test_an_answer_is_code_points_of_the_context(embedded: Any, context: str, answer: str) -> None:
    rows = table(["?"], [context], [[(answer, context.index(answer))]])
    (learnt,), (asked,) = (SPAN.encode(rows, embedded, labels, OFFICIAL) for labels in ([], None))
    first, last = learnt.target
    assert context[asked.places[first, 0] : asked.places[last, 1]] == answer


def test_the_first_answer_is_learned_and_without_one_that_there_is_none(tiny: Any) -> None:
    context = "the lamp in the hall is green"
    answers = [[("green", 24), ("lamp", 4)], [], [("lamp", 4), ("green", 24)]]
    features = SPAN.encode(table(["what"] * 3, [context] * 3, answers), tiny, [], Limits(64))
    green, none, lamp = [feature.target for feature in features]
    assert none == (0, 0)
    assert green[0] > lamp[1] > lamp[0] > 0


def test_a_window_without_the_whole_answer_learns_that_there_is_none(tiny: Any) -> None:
    context = "the lamp in the kitchen is green turn off the lamp in the hall she plants three trees behind the house"
    rows = table(["what"], [context], [[("three trees", context.index("three trees"))]])
    features = SPAN.encode(rows, tiny, [], Limits(24, 15))
    pointing = [feature for feature in features if feature.target != (0, 0)]
    assert len(features) > 3
    assert len(pointing) == 1
    first, last = pointing[0].target
    assert tiny.decode(pointing[0].texts[0][first : last + 1]).strip() == "three trees"


def test_models_that_number_their_texts_are_told_where_the_second_begins() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "who", "the", "lamp"]
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]")
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    rows = table(["who", "who the lamp"], ["the lamp", "lamp"], [[], []])
    features = SPAN.encode(rows, tokenizer, None, Limits(16))
    theirs = tokenizer(rows["question"].to_pylist(), rows["context"].to_pylist(), padding=True, return_tensors="pt")
    ours = inputs_of(features, 0, torch.device("cpu"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert template_of(tokenizer).size == 3


# Predictions


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 8), st.integers(0, 2**32))
def test_the_best_spans_are_those_of_an_exhaustive_search(tokens: int, longest: int, count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    start, end = generator.integers(-2, 3, (2, tokens)).astype(np.float32)
    answerable = generator.random(tokens) < 0.7
    every = sorted(
        (-float(start[i] + end[j]), i, j)
        for i in range(tokens)
        for j in range(i, min(tokens, i + longest))
        if answerable[i] and answerable[j]
    )
    scores = Boundaries(torch.from_numpy(start[None]), torch.from_numpy(end[None]))
    found = best_spans(scores, torch.from_numpy(answerable[None]), longest, count)
    rows = [
        (-score, i, j)
        for i, j, score in zip(*(part[0].tolist() for part in found), strict=True)
        if score > -float("inf")
    ]
    assert rows == every[:count]


def ask(model: Any, rows: pa.Table, tokenizer: Any, limits: Limits, budget: int = 200, no_answer: bool = False) -> Any:
    with torch.inference_mode():
        features = SPAN.encode(rows, tokenizer, None, limits)
        return SPAN.predict(model, features, rows, (), Batcher(1, budget, {}), search(tokenizer, limits, no_answer))


words = st.sampled_from(
    [
        "the lamp",
        "grün",
        "\u200b",
        "\u00a0",
        " ",
        "مرحبا\u200f",
        "🙂",
        "a\u0301\u0301",
        "x" * 70,
        "\n",
        "½",
        "",
        "\ufeff",
    ]
)
texts = st.lists(words, max_size=25).map(" ".join)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5), st.randoms(use_true_random=False), st.booleans())
def test_any_text_has_an_answer_in_it_whatever_the_batches_and_the_order(
    tiny: Any, reader: Any, pairs: list[tuple[str, str]], shuffled: Any, no_answer: bool
) -> None:
    rows = table(*map(list, zip(*pairs, strict=True)), [[] for _ in pairs])
    found = ask(reader, rows, tiny, Limits(24, 6), no_answer=no_answer)
    for prediction, (_, context) in zip(found, pairs, strict=True):
        assert prediction.value in context
        assert prediction.value.strip() == prediction.value
        assert all(text in context for text, _ in prediction.n_best)
        assert len(prediction.n_best) <= N_BEST
        if prediction.n_best:
            scores = [score for _, score in prediction.n_best]
            assert (prediction.value, prediction.confidence) == prediction.n_best[0]
            assert sum(scores) == pytest.approx(1)
            assert scores == sorted(scores, reverse=True)
        assert no_answer == ("" in [text for text, _ in prediction.n_best]) or len(prediction.n_best) == N_BEST
    order = list(range(len(pairs)))
    shuffled.shuffle(order)
    for other, budget in ((rows.take(order), 1), (rows.take(order), 10_000)):
        again = ask(reader, other, tiny, Limits(24, 6), budget, no_answer)
        for place, row in enumerate(order):
            same_up_to_rounding(again[place], found[row])


def same_up_to_rounding(one: Any, other: Any) -> None:
    """Equal but for candidates whose scores differ by less than arithmetic in another order does."""
    assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
    if one.value != other.value:
        assert dict(other.n_best)[one.value] == pytest.approx(other.confidence, abs=1e-4)


class Scripted(torch.nn.Module):
    """A model that scores a token by its id: what it will answer is known."""

    def __init__(self, scores: dict[int, float], size: int) -> None:
        super().__init__()
        self.scores = torch.nn.Parameter(torch.zeros(size))
        for token, score in scores.items():
            self.scores.data[token] = score

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return SimpleNamespace(start_logits=self.scores[input_ids], end_logits=self.scores[input_ids])


@pytest.mark.parametrize(("null", "empty"), [(0.9, False), (1.0, False), (1.1, True)])
def test_no_answer_wins_only_where_it_is_possible_and_beats_every_span(tiny: Any, null: float, empty: bool) -> None:
    rows = table(["what"] * 2, ["turn off the lamp in the hall"] * 2, [[], []])
    window = SPAN.encode(rows, tiny, None, Limits(40))[0]
    ids = window.texts[0]
    place = next(n for n, (start, _) in enumerate(window.places.tolist()) if start >= 0 and ids.count(ids[n]) == 1)
    start, end = window.places[place]
    answer = rows["context"][0].as_py()[start:end]
    model = Scripted({tiny.cls_token_id: null, ids[place]: 1.0}, len(tiny))
    assert {found.value for found in ask(model, rows, tiny, Limits(40))} == {answer}
    found = ask(model, rows, tiny, Limits(40), no_answer=True)
    assert {one.value for one in found} == {"" if empty else answer}
    assert "" in dict(found[0].n_best)


def test_the_same_stretch_in_two_windows_is_one_candidate(tiny: Any) -> None:
    rows = table(["what"], ["the lamp in the kitchen is green turn off the lamp in the hall"], [[]])
    model = Scripted({}, len(tiny))
    limits = Limits(44, 20)
    assert len(SPAN.encode(rows, tiny, None, limits)) > 1
    (found,) = ask(model, rows, tiny, limits)
    assert len(found.n_best) == N_BEST
    lengths = [len(text) for text, _ in found.n_best]
    assert lengths == sorted(lengths), "of equals, what starts first, then what ends first"
    assert all(rows["context"][0].as_py().startswith(text) for text, _ in found.n_best)
    assert [score for _, score in found.n_best] == pytest.approx([1 / N_BEST] * N_BEST)


def test_a_text_of_nothing_has_no_answer(tiny: Any, reader: Any) -> None:
    (found,) = ask(reader, table(["what"], ["\u00a0 "], [[]]), tiny, Limits(24))
    assert (found.value, found.confidence, found.n_best) == ("", 0.0, ())


def test_the_gold_is_every_right_answer(tiny: Any) -> None:
    rows = table(["a", "b"], ["the lamp", "the lamp"], [[("lamp", 4), ("the lamp", 0)], []])
    assert SPAN.golds(rows) == [["lamp", "the lamp"], []]


# Learning


@real
def test_eight_real_questions_can_be_learned_by_heart(embedded: Any) -> None:
    from transformers import BertConfig, BertForQuestionAnswering

    torch.manual_seed(0)
    rows = squad("xquad/xquad.en.json").take(list(range(0, 1190, 150)))
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    quiet = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = BertConfig(vocab_size=len(embedded), max_position_embeddings=128, pad_token_id=1, **sizes, **quiet)
    model = BertForQuestionAnswering(config)
    limits = Limits(96, 40)
    features = SPAN.encode(rows, embedded, [], limits)
    whole = model.get_input_embeddings().weight.detach().clone()
    trimmed = trim(model, [features], embedded.pad_token_id)
    assert trimmed is not None
    assert any(feature.target == (0, 0) for feature in features), "some windows are without the answer"
    recipe = Recipe(epochs=40, batch_size=4, learning_rate=3e-3, max_length=96)
    fit(SPAN, model, trimmed.features[0], recipe, embedded.pad_token_id)
    whole[trimmed.kept] = model.get_input_embeddings().weight.detach()
    model.set_input_embeddings(torch.nn.Embedding.from_pretrained(whole))
    found = ask(model, rows, embedded, limits)
    assert metric("squad_em").score(SPAN.golds(rows), [one.value for one in found]) == 100
    assert min(one.confidence for one in found) > 0.5


def test_padding_and_the_split_of_a_batch_change_neither_loss_nor_gradient(tiny: Any, reader: Any) -> None:
    contexts = ["the lamp", "a small boat crosses the wide river", "close the window before the rain comes"]
    rows = table(["what"] * 3, contexts, [[("lamp", 4)], [("boat", 8)], []])
    features = SPAN.encode(rows, tiny, [], Limits(64))
    together = SPAN.loss(reader, features, 1, 1.0)
    alone = [SPAN.loss(reader, [feature], 1, 1.0) for feature in features]
    assert SPAN.weight(features) == 3
    torch.testing.assert_close(together, torch.stack(alone).mean())
