"""What a training step on a CPU need not pay for; what is computed stays the same.

Dropout. PyTorch draws a mask on a CPU number by number, 9 ns each where the processor is not Intel's, and keeps it as
float32. Here 16 bits an element come from NumPy's SFC64, and a byte is kept. The generator is seeded from PyTorch's, so
that masks remain a function of its seed. Probabilities are multiples of 2^-16, and what is kept is scaled by exactly
what it takes for the mean to stay.

Attention. With dropout, `scaled_dot_product_attention` has no fused kernel for CPUs and takes twelve operators, some of
them over all scores, to be safe from rows without any key. There are none: a text has at least one token.

The last layer. A classification head of BERT and its like reads the first token alone, so that the last layer needs
keys and values of all tokens, and nothing else of any but the first: a fourteenth less work with twelve layers.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_ATTENTION = "isthmus-cpu"
_LEVELS = 1 << 16
#: Architectures that are layered as BERT is: ``layer.attention``, and ``layer.feed_forward_chunk`` after it.
_LIKE_BERT = frozenset({"bert", "roberta", "xlm-roberta", "camembert"})
_FIRST_TOKEN = ("ForSequenceClassification", "ForMultipleChoice")


def hasten(model: Any) -> None:
    """Change how ``model`` computes, in place, where it lies on a CPU and is not compiled; it is saved as before.

    Args:
        model: a transformers model, or an ``isthmus.train.heads.Heads`` of several.
    """
    compiled = any(module._compiled_call_impl is not None for module in model.modules())
    if compiled or next(model.parameters()).device.type != "cpu":
        return
    for one in getattr(model, "models", [model]):
        _replace_dropout(one)
        _replace_attention(one)
        _shorten_last_layer(one)


def _replace_dropout(model: nn.Module) -> None:
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))


class Dropout(nn.Dropout):
    """As PyTorch's, with masks that are made faster."""

    def forward(self, input: Tensor) -> Tensor:
        """Elements of ``input`` are 0 with the probability ``p``, the others scaled up; while training."""
        if not self.training or not 0 < self.p < 1 or input.device.type != "cpu":
            return super().forward(input)
        dropped: Tensor = _Dropped.apply(input, self.p)  # type: ignore[no-untyped-call]
        return dropped


def _mask(shape: tuple[int, ...], p: float) -> Tensor:
    """Bytes of that shape: 0 with probability ``p``, to the nearest 1/65536, and 1 otherwise."""
    size = int(np.prod(shape))
    seed = int(torch.randint(2**62, ()))
    drawn = np.random.SFC64(seed).random_raw((size + 3) // 4).view(np.uint16)[:size]
    return torch.from_numpy((drawn >= _cut(p)).view(np.uint8)).view(shape)


def _cut(p: float) -> int:
    return min(round(p * _LEVELS), _LEVELS - 1)


def _scale(p: float) -> float:
    return _LEVELS / (_LEVELS - _cut(p))


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, p: float) -> Tensor:
        mask = _mask(tuple(input.shape), p)
        ctx.save_for_backward(mask)
        ctx.scale = _scale(p)
        return (input * mask).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return (gradients[0] * mask).mul_(ctx.scale), None


def _replace_attention(model: Any) -> None:
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    if model.config._attn_implementation != "sdpa" or model.config.model_type not in _LIKE_BERT:
        return
    ALL_ATTENTION_FUNCTIONS.register(_ATTENTION, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(_ATTENTION, sdpa_mask)
    for module in model.modules():
        if hasattr(module, "config"):
            module.config._attn_implementation = _ATTENTION


def attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Attention as transformers calls it; see `_Attended`. Without dropout it is PyTorch's."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    p = options.get("dropout", 0.0)
    causal = attention_mask is None and getattr(module, "is_causal", True)
    plain = not causal and (attention_mask is None or attention_mask.dtype == torch.bool)
    if not 0 < p < 1 or not plain or query.device.type != "cpu":
        found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return found
    scaling = options.get("scaling") or query.shape[-1] ** -0.5
    return _Attended.apply(query, key, value, attention_mask, p, scaling), None  # type: ignore[no-untyped-call]


class _Attended(torch.autograd.Function):
    """softmax(scaling q k' where the mask is true) with dropout, times v.

    Queries (batch, heads, t, width), keys and values (batch, heads, s, width), a mask that broadcasts to (batch, heads,
    t, s); the result is (batch, t, heads, width). The softmax is in float32.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, p: float, scaling: float
    ) -> Tensor:
        batch, heads, t, width = query.shape
        s = key.shape[2]
        with torch.autocast("cpu", enabled=False):
            q = (query * scaling).reshape(batch * heads, t, width)
            k, v = (one.reshape(batch * heads, s, width) for one in (key, value))
            scores = torch.bmm(q, k.transpose(1, 2)).view(batch, heads, t, s)
            if mask is not None:
                scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
            shares = torch.softmax(scores, -1, dtype=torch.float32).to(v.dtype).view(batch * heads, t, s)
            kept = _mask(tuple(shares.shape), p)
            result = torch.bmm((shares * kept).mul_(_scale(p)), v)
        ctx.save_for_backward(q, k, v, shares, kept)
        ctx.shape, ctx.scaling, ctx.scale = (batch, heads), scaling, _scale(p)
        return result.view(batch, heads, t, width).transpose(1, 2).contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, shares, kept = ctx.saved_tensors
        gradient = gradients[0].transpose(1, 2).reshape(q.shape)
        of_value = torch.bmm((shares * kept).mul_(ctx.scale).transpose(1, 2), gradient)
        of_shares = torch.bmm(gradient, v.transpose(1, 2)).mul_(kept).mul_(ctx.scale)
        of_scores = torch.ops.aten._softmax_backward_data(of_shares, shares, -1, shares.dtype)
        of_query = torch.bmm(of_scores, k).mul_(ctx.scaling)
        of_key = torch.bmm(of_scores.transpose(1, 2), q)
        found = (one.view(*ctx.shape, *one.shape[1:]) for one in (of_query, of_key, of_value))
        return (*found, None, None, None)


def _shorten_last_layer(model: Any) -> None:
    """Have the last layer compute the first token alone whenever ``model`` is called, where its head reads no other."""
    if model.config.model_type not in _LIKE_BERT or not type(model).__name__.endswith(_FIRST_TOKEN):
        return
    layer = model.base_model.encoder.layer[-1]
    if layer.is_decoder:
        return
    if not isinstance(getattr(layer.forward, "__self__", None), _LastLayer):
        layer.forward = _LastLayer(layer).forward
    last = layer.forward.__self__
    model.register_forward_pre_hook(lambda *_: last.shorten(True))
    model.register_forward_hook(lambda *_: last.shorten(False), always_call=True)


class _LastLayer:
    """How the last layer of an encoder is computed. Several heads may share it, and some read all tokens."""

    def __init__(self, layer: Any) -> None:
        self._layer, self._whole, self._short = layer, layer.forward, False

    def shorten(self, short: bool) -> None:
        """From now on, or no longer."""
        self._short = short

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, *more: Any, **named: Any) -> Tensor:
        """States of shape (batch, 1, width) where it is short, else (batch, tokens, width)."""
        layer = self._layer
        again = getattr(layer, "gradient_checkpointing", False)  # it is computed once more after the head has been left
        if again or not self._short:
            whole: Tensor = self._whole(hidden_states, attention_mask, *more, **named)
            return whole
        own, first = layer.attention.self, hidden_states[:, :1]
        shape = (hidden_states.shape[0], -1, own.num_attention_heads, own.attention_head_size)
        query, key, value = (
            part(states).view(shape).transpose(1, 2)
            for part, states in ((own.query, first), (own.key, hidden_states), (own.value, hidden_states))
        )
        mask = None if attention_mask is None else attention_mask[:, :, :1]
        dropout = own.dropout.p if layer.training else 0.0
        context, _ = attend(own, query, key, value, mask, dropout=dropout, scaling=own.scaling)
        short: Tensor = layer.feed_forward_chunk(layer.attention.output(context.flatten(2), first))
        return short
