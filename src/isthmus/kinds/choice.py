"""Which of several continuations or answers is right (`choice`): COPA, Social IQa, CosmosQA, CommonsenseQA.

Each choice is read together with the text and the question and gets a score; rows may have different numbers of
choices. The scores of a row see nothing of each other, so the order of its choices does not matter.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from isthmus.errors import DataError
from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer, device_of, inputs_of
from isthmus.kinds.features import Features, Ragged, Stretches, bounds_of
from isthmus.kinds.pairs import template_of
from isthmus.kinds.pieces import distinct_pieces, placed_pieces, woven


class Choice:
    """One score a choice, read by the head of ``AutoModelForMultipleChoice``."""

    auto_class = "AutoModelForMultipleChoice"
    independent = True
    splittable = True

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits) -> Features:
        """One feature a row, with one text a choice: the text and the question, then the choice.

        What does not fit is cut from the end of the text; then, where that is not enough, from the end of the question;
        then from the end of the choice.

        Raises:
            DataError: a row has no choices.
        """
        choices = table.column("choices")
        counts = pc.list_value_length(choices).to_numpy()
        if len(counts) and not counts.min():
            raise DataError(f"row {int(counts.argmin()) + 1} has no choices to choose from.")
        template = template_of(tokenizer)
        room = limits.max_length - template.size
        tokens, places = distinct_pieces([pc.list_flatten(choices)], tokenizer)
        ends = tokens.at(places[0]).shorter(room)
        texts, questions = _asked(table, tokenizer, np.repeat(np.arange(len(table)), counts))
        questions = questions.shorter(room - ends.lengths)
        texts = texts.shorter(room - ends.lengths - questions.lengths)
        inputs = woven((template.before, (), template.between, template.after), [texts, questions, ends])
        second = inputs.lengths - len(template.after) - ends.lengths
        several = bounds_of(counts)
        return Features(
            np.arange(len(table), dtype=np.int32),
            inputs,
            "none" if labels is None else "label",
            () if labels is None else (table.column("answer").to_numpy().astype(np.int32),),
            several=several,
            second=Ragged(second.astype(np.int32), several) if template.numbered else None,
        )

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of examples."""
        return float(len(features))

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """Cross-entropy over the choices of each row."""
        found = scores(model, features, pad)
        return functional.cross_entropy(found, torch.tensor([feature.target for feature in features]).to(found.device))

    def predict(
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: Batcher,
        search: Search,
    ) -> list[Prediction]:
        """The position of the likeliest choice of each row and its probability among them; of equals the first."""
        found: list[Prediction | None] = [None] * len(table)
        for positions in batcher.batches([feature.length * len(feature.texts) for feature in features]):
            batch = [features[position] for position in positions]
            shares = scores(model, batch, batcher.pad).softmax(-1).tolist()
            for feature, row in zip(batch, shares, strict=True):
                best = row.index(max(row))
                found[feature.example] = Prediction(best, row[best])
        return [prediction for prediction in found if prediction is not None]

    def golds(self, table: pa.Table) -> list[Any]:
        """The positions of the right choices."""
        return list(table.column("answer").to_pylist())


def scores(model: nn.Module, features: Sequence[Feature], pad: int) -> Tensor:
    """The score of each choice, (rows, most choices of a row) in float32; -inf where a row has no such choice.

    The head is given every input as the only choice of a row of its own, so that none has to be made up.
    """
    inputs = inputs_of(features, pad, device_of(model))
    logits = model(**{name: value[:, None] for name, value in inputs.items()}).logits.float().flatten()
    counts = [len(feature.texts) for feature in features]
    return nn.utils.rnn.pad_sequence(list(logits.split(counts)), batch_first=True, padding_value=-torch.inf)


def _asked(table: pa.Table, tokenizer: Tokenizer, rows: NDArray[np.int64]) -> tuple[Stretches, Stretches]:
    """The tokens of the text and of the question of each of ``rows``, tokenised as one, with a space between them."""
    pairs = list(zip(table.column("text").to_pylist(), table.column("question").to_pylist(), strict=True))
    number = {pair: place for place, pair in enumerate(dict.fromkeys(pairs))}
    joint = [f"{text} {question}" if text and question else text + question for text, question in number]
    tokens, starts = placed_pieces(joint, tokenizer)
    first = [int(np.count_nonzero(starts[place][:, 0] < len(text))) for place, (text, _) in enumerate(number)]
    taken = np.asarray([number[pair] for pair in pairs], dtype=np.int64)[rows]
    whole, turn = tokens.at(taken), tokens.bounds[taken] + np.asarray(first, dtype=np.int64)[taken]
    return whole._replace(last=turn), whole._replace(first=turn)


CHOICE: Method = Choice()
