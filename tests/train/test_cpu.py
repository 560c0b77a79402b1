"""What a training step on a CPU leaves out changes nothing that is computed, and its random numbers follow the seed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tiny import SENTENCES
from torch import Tensor, nn

from isthmus.data.schema import Kind, to_table
from isthmus.kinds import method
from isthmus.kinds.core import Limits
from isthmus.model.folder import load_model, load_tokenizer, save_model
from isthmus.train.cpu import Dropout, attend, hasten

LABELS = ["short", "long"]


class Encoder(nn.Module):
    """What attention is asked to look at in a layer of an encoder."""

    is_causal = False


def loaded(folder: Path, kind: Kind) -> Any:
    labels = LABELS if kind is not Kind.SPAN else []
    return load_model(folder, method(kind).auto_class, labels, fresh_head=True, seed=1)


def features(folder: Path) -> Any:
    labels = ["short" if len(text) < 30 else "long" for text in SENTENCES]
    table = to_table(Kind.SEQUENCE, {"id": list(map(str, range(10))), "text": SENTENCES, "label": labels}, "test")
    return method(Kind.SEQUENCE).encode(table, load_tokenizer(folder), LABELS, Limits(32))


def gradients(model: Any, folder: Path) -> dict[str, Tensor]:
    model.zero_grad()
    method(Kind.SEQUENCE).loss(model, features(folder), 1, 0.05).backward()
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("training", [False, True])
def test_loss_and_gradients_are_those_of_the_model_as_it_comes(tiny_model: Path, training: bool) -> None:
    plain, quick = loaded(tiny_model, Kind.SEQUENCE), loaded(tiny_model, Kind.SEQUENCE)
    for model in (plain, quick):
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 1e-9 if training else module.p  # as good as none, and the paths of training are taken
        model.train(training)
    hasten(quick)
    expected, found = gradients(plain, tiny_model), gradients(quick, tiny_model)
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-6, msg=name)


def test_the_saved_model_is_an_ordinary_one(tiny_model: Path, tmp_path: Path) -> None:
    model = loaded(tiny_model, Kind.SEQUENCE)
    names = list(model.state_dict())
    hasten(model)
    assert list(model.state_dict()) == names
    save_model(model, tmp_path, tiny_model, None, None)
    assert "isthmus-cpu" not in (tmp_path / "config.json").read_text()


def test_a_head_that_reads_all_tokens_has_them_although_it_shares_the_encoder(tiny_model: Path) -> None:
    first, every = loaded(tiny_model, Kind.SEQUENCE), loaded(tiny_model, Kind.TAGGING)
    every.base_model.encoder = first.base_model.encoder
    ids = torch.tensor([[0, 7, 8, 9, 2]])
    expected = every.eval()(input_ids=ids).logits
    for model in (first, every):
        hasten(model)
    for _ in range(2):
        assert first.eval().base_model(input_ids=ids).last_hidden_state.shape[1] == 5
        first(input_ids=ids)
        torch.testing.assert_close(every(input_ids=ids).logits, expected)


def test_masks_are_a_function_of_the_seed(tiny_model: Path) -> None:
    model = loaded(tiny_model, Kind.SEQUENCE)
    hasten(model)
    model.train()
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(gradients(model, tiny_model)["classifier.weight"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([0.05, 0.1, 0.5, 0.9]), st.integers(0, 2**31))
def test_dropout_keeps_the_share_and_the_mean(p: float, seed: int) -> None:
    torch.manual_seed(seed)
    ones = torch.ones(200, 199, requires_grad=True)
    dropped = Dropout(p).train()(ones)
    kept = (dropped > 0).float().mean().item()
    assert abs(kept - (1 - p)) < 6 * (p * (1 - p) / ones.numel()) ** 0.5 + 1e-5
    assert dropped.max().item() == pytest.approx(1 / (1 - p), rel=1e-3)
    dropped.sum().backward()
    assert torch.equal(ones.grad, dropped)


def test_neighbouring_elements_are_dropped_independently() -> None:
    torch.manual_seed(3)
    kept = (Dropout(0.1).train()(torch.ones(1_000_000)) > 0).float()
    for apart in (1, 2, 3, 4, 8, 64):
        together = torch.corrcoef(torch.stack([kept[:-apart], kept[apart:]]))[0, 1].item()
        assert abs(together) < 0.005, apart


@pytest.mark.parametrize("masked", [False, True])
def test_attention_has_the_gradient_of_what_it_computes(masked: bool) -> None:
    """Against differences of its values at one seed, where the dropout is one mask."""
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float32, requires_grad=True) for _ in range(3)]
    mask = torch.tensor([[True] * 4, [True, True, False, False]])[:, None, None, :] if masked else None
    weights = torch.randn(2, 4, 3, 5, generator=generator)

    def value(*given: Tensor) -> Tensor:
        torch.manual_seed(7)
        return (attend(Encoder(), *given, mask, dropout=0.3, scaling=0.4)[0] * weights).sum()

    value(*inputs).backward()
    for number, one in enumerate(inputs):
        direction = torch.randn(one.shape, generator=generator)
        ends = [[x + sign * 1e-3 * direction if i == number else x for i, x in enumerate(inputs)] for sign in (1, -1)]
        slope = (value(*ends[0]) - value(*ends[1])) / 2e-3
        torch.testing.assert_close((one.grad * direction).sum(), slope, rtol=2e-2, atol=1e-3)


def test_without_dropout_attention_is_pytorchs() -> None:
    q, k, v = (torch.randn(2, 3, 4, 5) for _ in range(3))
    expected = nn.functional.scaled_dot_product_attention(q, k, v, scale=0.4).transpose(1, 2)
    found, _ = attend(Encoder(), q, k, v, None, dropout=0.0, scaling=0.4)
    torch.testing.assert_close(found, expected)
    found, _ = attend(Encoder(), q, k, v, None, dropout=1e-9, scaling=0.4)
    torch.testing.assert_close(found, expected)
