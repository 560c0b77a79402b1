"""Several heads on one encoder: what a mixture trains."""

from collections.abc import Sequence
from typing import Any

from torch import nn


class Heads(nn.Module):
    """Models of one architecture that share everything but their heads; called as the one that is in use.

    What is asked of it besides (``config``, ``base_model``) is asked of the model in use.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.current = 0
        _share([model for number, model in enumerate(models) if model not in models[:number]])

    def forward(self, **inputs: Any) -> Any:
        """The outputs of the model in use."""
        return self.models[self.current](**inputs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.models[self.current], name)

    def get_output_embeddings(self) -> nn.Module | None:
        """The output embeddings of whichever model has some: then all of the vocabulary is trained."""
        found: Any = [embeddings for model in self.models if (embeddings := model.get_output_embeddings()) is not None]  # type: ignore[operator]
        return found[0] if found else None

    def set_input_embeddings(self, embeddings: nn.Module) -> None:
        """Replace the word embeddings, which are shared."""
        for model in self.models:
            model.set_input_embeddings(embeddings)  # type: ignore[operator]


def use(model: Any, number: int) -> None:
    """Have a mixture's model be the one of that member; a single task's model is that of its one member."""
    whole = getattr(model, "module", model)  # as wrapped for several processes
    if isinstance(whole, Heads):
        whole.current = number


def model_of(model: Any, number: int) -> Any:
    """The transformers model of one member."""
    return model.models[number] if isinstance(model, Heads) else model


def _share(models: Sequence[Any]) -> None:
    """Give all ``models`` the encoder of the first that has each of its parts; not all of them have a pooler."""
    parts: dict[str, nn.Module] = {}
    for model in models:
        for name, part in list(model.base_model.named_children()):
            setattr(model.base_model, name, parts.setdefault(name, part))
    for model in models:
        model.tie_weights()
