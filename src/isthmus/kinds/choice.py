"""Which of several continuations or answers is right (`choice`): COPA, Social IQa, CosmosQA, CommonsenseQA.

Each choice is read together with the text and the question and gets a score; rows may have different numbers of
choices. The scores of a row see nothing of each other, so the order of its choices does not matter.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.errors import DataError
from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer, device_of, inputs_of
from isthmus.kinds.pairs import Pair, Template, template_of


class Choice:
    """One score a choice, read by the head of ``AutoModelForMultipleChoice``."""

    auto_class = "AutoModelForMultipleChoice"
    independent = True
    splittable = True

    def encode(
        self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits
    ) -> list[Feature]:
        """One feature a row, with one text a choice: the text and the question, then the choice.

        What does not fit is cut from the end of the text; then, where that is not enough, from the end of the question;
        then from the end of the choice.

        Raises:
            DataError: a row has no choices.
        """
        template = template_of(tokenizer)
        texts, questions, choices = (table.column(name).to_pylist() for name in ("text", "question", "choices"))
        read = _tokenize(list(zip(texts, questions, strict=True)), tokenizer)
        ends = _tokenize([(choice, "") for row in choices for choice in row], tokenizer)
        features = []
        for row, answer in enumerate(table.column("answer").to_pylist()):
            if not choices[row]:
                raise DataError(f"row {row + 1} has no choices to choose from.")
            text, question = read[texts[row], questions[row]]
            inputs = [_fit(text, question, ends[choice, ""][0], template, limits.max_length) for choice in choices[row]]
            features.append(
                Feature(
                    row,
                    tuple(one.ids for one in inputs),
                    None if labels is None else answer,
                    second=tuple(position for one in inputs for position in one.second),
                )
            )
        return features

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


def _tokenize(
    pairs: Sequence[tuple[str, str]], tokenizer: Tokenizer
) -> dict[tuple[str, str], tuple[list[int], list[int]]]:
    """Each distinct text with what follows it after a space, as the tokens of the two."""
    distinct = list(dict.fromkeys(pairs))
    joined = [f"{text} {rest}" if text and rest else text + rest for text, rest in distinct]
    encoded = tokenizer(
        joined, add_special_tokens=False, return_offsets_mapping=True, return_attention_mask=False, verbose=False
    )
    found = {}
    for pair, ids, offsets in zip(distinct, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        first = sum(1 for start, _ in offsets if start < len(pair[0]))
        found[pair] = (ids[:first], ids[first:])
    return found


def _fit(text: list[int], question: list[int], choice: list[int], template: Template, max_length: int) -> Pair:
    """The input of a choice, cut to ``max_length`` tokens."""
    room = max_length - template.size
    choice = choice[:room]
    question = question[: room - len(choice)]
    return template.join(text[: room - len(choice) - len(question)] + question, choice)


CHOICE: Method = Choice()
