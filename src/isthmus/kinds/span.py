"""Questions that a stretch of a text answers (`span`): extractive question answering.

A context that does not fit becomes windows that share tokens; a window without the answer learns to point at the first
token, as one of a question without answer does (arXiv 1810.04805, section 4.3). Answers are code points of the context:
what is predicted stands in it, letter for letter. Whether "no answer" is among the answers is a property of the task
(`Search.no_answer`), not of the model: one trained on SQuAD 2.0 still answers every question of XQuAD.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from isthmus.data.spacing import SPACES, code_points
from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer, device_of, inputs_of
from isthmus.kinds.features import Features, Ints, Ragged, Stretches, concatenated, gathered, lengths_of
from isthmus.kinds.pairs import Template, template_of
from isthmus.kinds.pieces import distinct_pieces, placed_pieces, woven

#: Tokens of the longest answer, and how many answers are weighed: ``max_answer_length`` and ``n_best_size`` of BERT's
#: ``run_squad.py``, which XTREME's baselines keep.
LONGEST, N_BEST = 30, 20
#: The first token of a window: what it points at when it holds no answer.
_NOWHERE = 0
#: Rows whose texts are tokenized together: bounds what the tokenizer returns at once.
_ROWS = 1000


class Windows(NamedTuple):
    """Questions with the tokens [first, last) of their contexts; int64, one each.

    Attributes:
        row: of the question.
        room: tokens that are left of the question.
        first, last: the stretch of the context.
    """

    row: NDArray[np.int64]
    room: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


class Boundaries(NamedTuple):
    """Scores of every token as the first and the last of an answer: (windows, tokens); -inf on padding."""

    start: Tensor
    end: Tensor


class Spans(NamedTuple):
    """The best spans of windows, best first: token positions (both inside) and scores, (windows, count)."""

    first: Tensor
    last: Tensor
    score: Tensor


class Candidate(NamedTuple):
    """A stretch of the context, in code points."""

    score: float
    start: int
    end: int


class Span:
    """Start and end of the answer, read by the head of ``AutoModelForQuestionAnswering``."""

    auto_class = "AutoModelForQuestionAnswering"
    independent = True
    splittable = True

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits) -> Features:
        """One feature a window. With several right answers the first is learned; with none, that there is none.

        The question is whole unless it would leave less room than the longest answer takes (or half of all, if that is
        less): then its end is cut. Windows begin ``limits.stride`` tokens of the context apart, which is what XTREME's
        ``doc_stride`` means (`squad_convert_example_to_features` in its third_party/processors/squad.py).
        """
        template = template_of(tokenizer)
        parts = [
            _encoded(table.slice(start, _ROWS), start, tokenizer, template, limits, labels is not None)
            for start in range(0, len(table), _ROWS)
        ]
        return concatenated(parts) if parts else Features.of(())

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of windows."""
        return float(len(features))

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """The mean of the cross-entropies of the start and of the end."""
        scores = boundaries(model, features, pad)
        targets = torch.tensor([feature.target for feature in features], device=scores.start.device)
        start, end = (functional.cross_entropy(one, targets[:, side]) for side, one in enumerate(scores))
        return (start + end) / 2

    def predict(
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: Batcher,
        search: Search,
    ) -> list[Prediction]:
        """The best answer over all windows of each row, and the likeliest `N_BEST` with their probabilities among them.

        Of equal scores the one that starts, then ends first wins. With ``search.no_answer`` the empty text is a
        candidate; its score is the lowest of any window, and it has to beat all others. It is also what a context
        without a single token gets.
        """
        found: list[dict[tuple[int, int], float]] = [{} for _ in range(len(table))]
        nothing = [float("inf")] * len(table)
        for positions in batcher.batches(lengths_of(features)):
            batch = [features[position] for position in positions]
            scores = boundaries(model, batch, batcher.pad)
            spans = best_spans(scores, _answerable(batch, scores.start), LONGEST, N_BEST)
            none = (scores.start[:, _NOWHERE] + scores.end[:, _NOWHERE]).tolist()
            for feature, lowest, first, last, score in zip(
                batch, none, *(part.tolist() for part in spans), strict=True
            ):
                nothing[feature.example] = min(nothing[feature.example], lowest)
                _merge(found[feature.example], feature, first, last, score)
        contexts = table.column("context").to_pylist()
        return [
            _prediction(context, candidates, none if search.no_answer else None)
            for context, candidates, none in zip(contexts, found, nothing, strict=True)
        ]

    def golds(self, table: pa.Table) -> list[Any]:
        """The right answers of each question; an empty list where there is none."""
        return list(table.column("answers").to_pylist())


def boundaries(model: nn.Module, features: Sequence[Feature], pad: int) -> Boundaries:
    """What the model says of ``features``; padding is out of the question, so batches do not matter."""
    inputs = inputs_of(features, pad, device_of(model))
    output: Any = model(**inputs)
    outside = inputs["attention_mask"] == 0
    return Boundaries(
        output.start_logits.float().masked_fill(outside, -torch.inf),
        output.end_logits.float().masked_fill(outside, -torch.inf),
    )


def best_spans(scores: Boundaries, answerable: Tensor, longest: int, count: int) -> Spans:
    """The ``count`` best spans of at most ``longest`` tokens between ``answerable`` ones (windows, tokens).

    Of equals, the one that starts first, then the shortest. Fewer than ``count`` are filled up with scores of -inf.
    """
    start, end = (one.masked_fill(~answerable, -torch.inf) for one in scores)
    width = min(longest, start.shape[1])
    ends = functional.pad(end, (0, width - 1), value=-torch.inf).unfold(1, width, 1)
    ordered = (start[:, :, None] + ends).flatten(1).sort(dim=1, descending=True, stable=True)
    place = ordered.indices[:, :count]
    return Spans(place // width, place // width + place % width, ordered.values[:, :count])


def _answerable(features: Sequence[Feature], like: Tensor) -> Tensor:
    """Which tokens may begin or end an answer, as a mask of the shape of ``like``."""
    mask = torch.zeros(like.shape, dtype=torch.bool)
    for row, feature in enumerate(features):
        assert feature.places is not None
        mask[row, : len(feature.places)] = torch.from_numpy(feature.places[:, 0] >= 0)
    return mask.to(like.device)


def _merge(
    candidates: dict[tuple[int, int], float], feature: Feature, first: list[int], last: list[int], score: list[float]
) -> None:
    """Add the spans of a window to those of its row; a stretch that two windows hold keeps its better score."""
    assert feature.places is not None
    for one, other, value in zip(first, last, score, strict=True):
        if value > -float("inf"):
            stretch = int(feature.places[one, 0]), int(feature.places[other, 1])
            candidates[stretch] = max(value, candidates.get(stretch, value))


def _prediction(context: str, candidates: dict[tuple[int, int], float], none: float | None) -> Prediction:
    """The best of the candidates; ``none`` is the score of having no answer, or None where that is not possible."""
    places = 0 if none is None else 1
    ranked = sorted((-score, start, end) for (start, end), score in candidates.items())[: N_BEST - places]
    scored = [(context[start:end], -score) for score, start, end in ranked]
    if none is not None:
        scored.append(("", none))
        scored.sort(key=lambda one: -one[1])  # stable: of equals, the answer
    if not scored:
        return Prediction("", 0.0)
    weights = np.exp(np.array([score for _, score in scored]) - scored[0][1])
    shares = (weights / weights.sum()).tolist()
    return Prediction(scored[0][0], shares[0], tuple(zip((text for text, _ in scored), shares, strict=True)))


def _encoded(
    table: pa.Table, start: int, tokenizer: Tokenizer, template: Template, limits: Limits, learnt: bool
) -> Features:
    """The features of some rows, the first of which has the number ``start``."""
    asked, (question,) = distinct_pieces([table.column("question")], tokenizer)
    distinct = table.column("context").combine_chunks().dictionary_encode()
    texts, context = distinct.dictionary.to_pylist(), distinct.indices.to_numpy()
    read, offsets = placed_pieces(texts, tokenizer)
    places = [_places(text, one) for text, one in zip(texts, offsets, strict=True)]
    windows = _windows(asked.lengths[question], read.lengths[context], limits.max_length - template.size, limits.stride)
    questions = asked.at(question[windows.row]).shorter(windows.room)
    begin = read.bounds[context[windows.row]]
    contexts = Stretches(read.values, begin + windows.first, begin + windows.last)
    inputs = woven((template.before, template.between, template.after), [questions, contexts])
    turn = len(template.before) + questions.lengths + len(template.between)
    target: tuple[Ints, ...] = ()
    if learnt:
        rows = zip(table.column("answers").to_pylist(), table.column("answer_starts").to_pylist(), context, strict=True)
        target = _targets([_target(right, starts, places[one]) for right, starts, one in rows], windows, turn)
    return Features(
        (windows.row + start).astype(np.int32),
        inputs,
        "span" if learnt else "none",
        target,
        first_word=windows.first.astype(np.int32),
        second=Ragged(turn.astype(np.int32), np.arange(len(turn) + 1)) if template.numbered else None,
        places=None if learnt else _placed(places, contexts, inputs, turn),
    )


def _placed(places: Sequence[Ints], contexts: Stretches, inputs: Ragged, turn: NDArray[np.int64]) -> Ragged:
    """The places of the tokens of each input, two numbers a token; those of a context stand from ``turn`` on."""
    there = np.full((len(inputs.values), 2), -1, dtype=np.int32)
    start = inputs.bounds[:-1] + turn
    to = gathered(Stretches(np.arange(len(there), dtype=np.int32), start, start + contexts.lengths)).values
    source = gathered(contexts._replace(values=np.arange(len(contexts.values), dtype=np.int32))).values
    there[to] = np.concatenate([np.empty((0, 2), np.int32), *places])[source]
    return Ragged(there.reshape(-1), 2 * inputs.bounds)


def _places(text: str, offsets: Ints) -> Ints:
    """The stretch of each token, without the white space that some tokenizers count to it.

    A token that starts at the same letter as the one after it (the bare word boundary `▁`, the first half of a letter
    that the tokenizer writes as two) marks no place of its own.
    """
    places = np.maximum.accumulate(offsets, axis=0)
    letters = np.flatnonzero(~np.isin(code_points(text), SPACES)).astype(np.int32)
    if not len(letters):
        return np.full_like(places, -1)
    after = np.append(letters, np.int32(len(text)))[np.searchsorted(letters, places[:, 0])]
    before = np.append(letters, np.int32(-1))[np.searchsorted(letters, places[:, 1]) - 1] + 1
    places = np.stack([after, before], axis=1).astype(np.int32)
    nothing = places[:, 1] <= places[:, 0]
    nothing[:-1] |= places[:-1, 0] == places[1:, 0]
    places[nothing] = -1
    return places


def _target(answers: list[str], starts: list[int], places: Ints) -> tuple[int, int] | None:
    """The first and the last token of a row's first answer, or None where there is no answer to point at.

    An answer that starts or ends inside a token takes the whole token; one that the tokenizer leaves nothing of, the
    token after it.
    """
    there = np.flatnonzero(places[:, 0] >= 0)
    if not answers or not answers[0] or not len(there):
        return None
    start, end = starts[0], starts[0] + len(answers[0])
    first = min(int(np.searchsorted(places[there, 1], start, side="right")), len(there) - 1)
    last = max(int(np.searchsorted(places[there, 0], end, side="left")) - 1, first)
    return int(there[first]), int(there[last])


def _targets(answers: Sequence[tuple[int, int] | None], windows: Windows, turn: NDArray[np.int64]) -> tuple[Ints, Ints]:
    """Where the answers of the rows, in tokens of the context, begin and end in each window."""
    known = np.asarray([answer or (-1, -1) for answer in answers], dtype=np.int64).reshape(-1, 2)[windows.row]
    inside = (windows.first <= known[:, 0]) & (known[:, 1] < windows.last)
    first, last = (np.where(inside, known[:, side] + turn - windows.first, _NOWHERE) for side in (0, 1))
    return first.astype(np.int32), last.astype(np.int32)


def _windows(questions: NDArray[np.int64], contexts: NDArray[np.int64], places: int, stride: int) -> Windows:
    """The contexts of so many tokens as they fit beside their questions, where there are ``places`` for both."""
    room = np.minimum(questions, places - min(LONGEST, places // 2))
    found = [
        (row, asked, first, last)
        for row, (asked, tokens) in enumerate(zip(room.tolist(), contexts.tolist(), strict=True))
        for first, last in stretches(tokens, places - asked, stride)
    ]
    return Windows(*np.asarray(found, dtype=np.int64).reshape(-1, 4).T)


def stretches(tokens: int, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """The windows [first, last) of a text, each of at most ``room`` tokens, beginning ``stride`` tokens apart.

    Where that is not less than the room, they begin half a room apart: neighbours always share something.
    """
    step = stride if stride < room else (room + 1) // 2
    for first in itertools.count(0, step):
        yield first, min(first + room, tokens)
        if first + room >= tokens:
            return


SPAN: Method = Span()
