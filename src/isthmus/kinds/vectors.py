"""Texts as vectors: the states of one hidden layer, or of all of them from one pass, pooled. Float32, on the CPU."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from isthmus.errors import ModelError, SpecError
from isthmus.kinds.core import TOKEN_BUDGET, Batcher, Encoded, Tokenizer, device_of, pad_texts
from isthmus.study.spec import Retrieval

#: Vectors that are remembered for texts that come again; beyond it they are computed again.
_REMEMBERED_BYTES = 1 << 30


class Pooling(NamedTuple):
    """What becomes of a model's states.

    Attributes:
        layer: hidden layer, from 0, the embeddings; None for all of them.
        states: their mean, special tokens included; the first token's; or the last token's.
    """

    layer: int | None
    states: Literal["mean", "cls", "last"] = "mean"


class _Reached(Exception):
    """Ends a forward pass at the layer that was asked for."""

    def __init__(self, states: Tensor) -> None:
        self.states = states


def pooling_of(model: Any, options: Retrieval) -> Pooling:
    """The pooling that ``options`` (with nothing left out) mean for ``model``.

    ``xtreme`` is on the line through the layers that XTREME's script takes: 8 of 12, and 14 of 24.

    Raises:
        SpecError: the model has no layer of that number.
    """
    depth = depth_of(model)
    assert options.pooling is not None
    if options.layer == "all":
        return Pooling(None, options.pooling)
    if options.layer == "last":
        return Pooling(depth, options.pooling)
    layer = min(depth, depth // 2 + 2) if options.layer == "xtreme" else options.layer
    if layer > depth:
        raise SpecError(f"retrieval.layer is {layer}, but the model has {depth} layers: take one of 0 to {depth}.")
    return Pooling(layer, options.pooling)


def depth_of(model: Any) -> int:
    """How many layers a model has above its embeddings."""
    return int(getattr(model, "module", model).config.num_hidden_layers)


def embed(model: Any, texts: Sequence[Sequence[int]], pad: int, pooling: Pooling | None = None) -> Tensor:
    """The pooled states of texts given as token ids, in one batch: (texts, width), or (texts, layers, width) for all.

    Args:
        model: a transformers model without a head.
        texts: token ids, special tokens included.
        pad: the padding token.
        pooling: the mean of the last layer if not given.
    """
    pooling = pooling or Pooling(depth_of(model))
    encoded = pad_texts(texts, pad, device_of(model))
    if pooling.layer is None:
        layers = model(**encoded._asdict(), output_hidden_states=True).hidden_states
        return torch.stack([_pooled(states, encoded, pooling) for states in layers], 1)
    return _pooled(states_of(model, encoded, pooling.layer), encoded, pooling)


def embed_all(model: Any, texts: Sequence[list[int]], batcher: Batcher, pooling: Pooling | None = None) -> Tensor:
    """As `embed`, for any number of texts; each distinct text is encoded once. Float32, on the CPU.

    Raises:
        ModelError: the model's states are not finite numbers.
    """
    keys = [tuple(text) for text in texts]
    new = list(dict.fromkeys(key for key in keys if key not in batcher.known))
    fresh = _embed_distinct(model, new, batcher, pooling)
    if fresh is not None and len(new) == len(keys):
        _remember(batcher, new, fresh)
        return fresh
    row = {key: number for number, key in enumerate(new)}
    vectors = [batcher.known[key] if fresh is None or key not in row else fresh[row[key]] for key in keys]
    if fresh is not None:
        _remember(batcher, new, fresh)
    return torch.stack(vectors)


def embed_texts(
    model: Any, texts: Sequence[str], tokenizer: Tokenizer, max_length: int, pooling: Pooling | None = None
) -> Tensor:
    """As `embed_all`, for texts as they are written; what is longer than ``max_length`` tokens is cut."""
    ids = tokenizer(list(texts), truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]
    batcher = Batcher(tokenizer.pad_token_id, TOKEN_BUDGET[device_of(model).type], {})
    return embed_all(model, ids, batcher, pooling)


def _embed_distinct(
    model: Any, texts: Sequence[tuple[int, ...]], batcher: Batcher, pooling: Pooling | None
) -> Tensor | None:
    """The vectors of texts that are all different, or None where there is none."""
    vectors: Tensor | None = None
    for positions in batcher.batches([len(text) for text in texts]):
        batch = embed(model, [texts[position] for position in positions], batcher.pad, pooling).float().cpu()
        if vectors is None:
            vectors = torch.empty(len(texts), *batch.shape[1:])
        vectors[positions] = batch
    if vectors is not None and not bool(torch.isfinite(vectors.sum())):
        raise ModelError("The model's states are not finite numbers: its training has failed, or precision is too low.")
    return vectors


def _remember(batcher: Batcher, texts: Sequence[tuple[int, ...]], vectors: Tensor) -> None:
    """Keep vectors for texts that come again, as long as there is room; then begin anew."""
    size = vectors[0].numel() * vectors.element_size()
    if (len(batcher.known) + len(texts)) * size > _REMEMBERED_BYTES:
        batcher.known.clear()
    if len(texts) * size <= _REMEMBERED_BYTES:
        batcher.known.update(zip(texts, vectors, strict=True))


def _pooled(states: Tensor, encoded: Encoded, pooling: Pooling) -> Tensor:
    """(texts, tokens, width) as (texts, width)."""
    if pooling.states == "cls":
        return states[:, 0]
    if pooling.states == "last":
        last = encoded.attention_mask.sum(1) - 1
        return states[torch.arange(len(states), device=states.device), last]
    mask = encoded.attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(1) / mask.sum(1)


def states_of(model: Any, encoded: Encoded, layer: int) -> Tensor:
    """The states of one hidden layer; the layers above it are not computed where the model's can be told apart."""
    inputs, depth = encoded._asdict(), depth_of(model)
    states: Tensor
    if layer == depth:
        states = model(**inputs).last_hidden_state
        return states
    blocks = next((part for part in model.modules() if isinstance(part, nn.ModuleList) and len(part) == depth), None)
    if blocks is not None:
        hook = blocks[layer].register_forward_pre_hook(_stop(), with_kwargs=True)
        try:
            model(**inputs)
        except _Reached as reached:
            return reached.states
        finally:
            hook.remove()
    states = model(**inputs, output_hidden_states=True).hidden_states[layer]
    return states


def _stop() -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
    """A hook before a layer, which takes what comes into it: the states of the layer below."""

    def stop(_: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        raise _Reached(positional[0] if positional else named["hidden_states"])

    return stop
