"""Recipes by name: the paper's (Phang et al. 2020, arXiv 2005.13013), and quick ones.

Of ``paper``, the target stage is published in the scripts of jiant, as is everything about learning rate, decay and
stopping. The batches and epochs of its intermediate stage are recalled, not read: treat them as a lead. The longest
input of the intermediate stage, and everything for tasks that the paper does not have, are our own choice, by kind.

``fast`` is ours: minutes on a processor with a small model, for a look at whether anything is learnt.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from isthmus.data.schema import Kind
from isthmus.errors import SpecError
from isthmus.study.spec import Recipe, Study, said

Preset = Literal["paper", "fast"]
Role = Literal["intermediate", "target"]
#: Stands for the kind of several tasks that are trained together.
MIXTURE = "mixture"

_PAPER: Mapping[str, Any] = {
    "learning_rate": 1e-5,
    "weight_decay": 0.01,
    "warmup_ratio": 0.1,
    "max_grad_norm": 1.0,
}
_PAPER_STOPPING: Mapping[str, Any] = {"evaluate_every": 1000, "dev_examples": 500, "patience": 30, "checkpoint": "best"}
#: Kinds that are not measured while they are trained.
_UNMEASURED = (Kind.TEXT, Kind.MINING, Kind.RANKING)


class _Passes(NamedTuple):
    """How often and how the rows are passed over."""

    epochs: float
    batch_size: int


_TARGETS: Mapping[str, _Passes] = {
    "xnli": _Passes(2, 32),
    "pawsx": _Passes(5, 32),
    "udpos": _Passes(10, 32),
    "panx": _Passes(10, 32),
    "squad": _Passes(2, 16),
    "tydiqa": _Passes(2, 16),
}
_TARGET_KINDS: Mapping[str, _Passes] = {
    Kind.SEQUENCE: _Passes(5, 32),
    Kind.PAIR: _Passes(5, 32),
    Kind.TAGGING: _Passes(10, 32),
    Kind.SPAN: _Passes(2, 16),
    Kind.CHOICE: _Passes(5, 16),
}
#: Recalled from the paper's appendix, not read.
_INTERMEDIATES: Mapping[str, _Passes] = {
    "anli": _Passes(2, 24),
    "anli-plus": _Passes(2, 24),
    "mnli": _Passes(2, 24),
    "qqp": _Passes(3, 24),
    "squad": _Passes(3, 8),
    "squad-v2": _Passes(3, 8),
    "hellaswag": _Passes(7, 24),
    "ccg": _Passes(15, 24),
    "cosmosqa": _Passes(15, 4),
    "commonsenseqa": _Passes(10, 4),
}
_INTERMEDIATE_KINDS: Mapping[str, _Passes] = {
    Kind.SEQUENCE: _Passes(2, 24),
    Kind.PAIR: _Passes(2, 24),
    Kind.TAGGING: _Passes(15, 24),
    Kind.SPAN: _Passes(3, 8),
    Kind.CHOICE: _Passes(10, 4),
    MIXTURE: _Passes(3, 24),
}
#: Of kinds that the paper does not train on: pairs to search among, and texts.
_OTHERWISE = _Passes(3, 32)
_LONG = (Kind.SPAN, MIXTURE)

_FAST: Mapping[str, Any] = {"freeze_embeddings": True, "learning_rate": 1e-4, "batch_size": 16}
#: Rows that are trained on, and tokens: a row of choices is several inputs, one of questions several windows.
_FAST_KINDS: Mapping[str, Mapping[str, Any]] = {
    Kind.SEQUENCE: {"train_examples": 2000, "max_length": 64},
    Kind.PAIR: {"train_examples": 2000, "max_length": 64},
    Kind.TAGGING: {"train_examples": 2000, "max_length": 64},
    Kind.SPAN: {"train_examples": 1000, "max_length": 192, "stride": 64, "batch_size": 8},
    Kind.CHOICE: {"train_examples": 1000, "max_length": 64, "batch_size": 8},
    Kind.TEXT: {"train_examples": 500, "max_length": 64},
    MIXTURE: {"train_examples": 1000, "max_length": 128, "stride": 64},
}
_FAST_OTHERWISE: Mapping[str, Any] = {"train_examples": 1000, "max_length": 64}
_FAST_EPOCHS: Mapping[Role, float] = {"intermediate": 1, "target": 2}


def preset(name: Preset, role: Role, task: str, kind: Kind | str) -> Mapping[str, Any]:
    """Fields of a `isthmus.study.spec.Recipe` by a preset's name.

    Args:
        role: of the stage in its chain.
        task: its name, or that of a mixture; one the preset does not know is treated as its ``kind`` is.
        kind: of the task, or ``mixture``.
    """
    if name == "fast":
        return {**_FAST, "epochs": _FAST_EPOCHS[role], **_FAST_KINDS.get(kind, _FAST_OTHERWISE)}
    tasks, kinds = (_TARGETS, _TARGET_KINDS) if role == "target" else (_INTERMEDIATES, _INTERMEDIATE_KINDS)
    passes = tasks.get(task) or kinds.get(kind, _OTHERWISE)
    length = {"max_length": 384, "stride": 128} if kind in _LONG else {"max_length": 256}
    return {**_PAPER, **({} if kind in _UNMEASURED else _PAPER_STOPPING), **passes._asdict(), **length}


class Place(NamedTuple):
    """Where in a study a recipe is used.

    Attributes:
        name: of the task, the mixture or the translation that is trained on.
        role: of the stage in its chain.
        kind: of the task, or ``mixture``.
        mixture: that the task is a member of; or empty.
        of: the task that a translation is made of, whose preset it has; or empty.
    """

    name: str
    role: Role
    kind: str = "sequence"
    mixture: str = ""
    of: str = ""


#: What goes by evaluations.
_STOPPING = ("patience", "checkpoint")


def recipe_for(study: Study, place: Place, usual: Mapping[str, Any] | None = None, variant: str = "") -> Recipe:
    """The recipe of a training stage, or of one member of a mixture.

    What comes later counts: what is ``usual`` for the task, a preset, what the study says of all stages, of the role,
    of the mixture, and of the task; and after these, in the same order, what the ``variant`` among its recipes says.

    Raises:
        SpecError: the training is to stop by evaluations that it does not make.
    """
    layers = [(study.recipe, study.overrides)]
    if variant:
        layers.append((study.recipes[variant], study.recipes[variant].places))
    given: list[Mapping[str, Any]] = []
    for everywhere, places in layers:
        given.append(said(everywhere))
        given += [said(places[each]) for each in (place.role, place.mixture, place.name) if each in places]
    asked = next((each["preset"] for each in reversed(given) if each.get("preset")), None)
    changes = {**(usual or {}), **(preset(asked, place.role, place.of or place.name, place.kind) if asked else {})}
    for each in given:
        changes |= each
    if changes.get("evaluate_every") is None:
        if not any("evaluate_every" in each for each in given):
            wanting = next((field for field in _STOPPING if any(each.get(field) for each in given)), None)
            if wanting:
                raise SpecError(f"{wanting} needs evaluate_every: without evaluations there is nothing to compare.")
        changes = {field: value for field, value in changes.items() if field not in _STOPPING}
    return Recipe.model_validate({**changes, "preset": None})
