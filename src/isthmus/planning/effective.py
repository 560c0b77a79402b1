"""Which fields of a recipe have an effect where it is used: one that has none is no part of a key."""

from collections.abc import Collection, Mapping

from isthmus.data.schema import Kind
from isthmus.study.spec import Recipe

#: Fields that are for tasks of one kind.
_FOR: Mapping[str, Kind] = {
    "temperature": Kind.BITEXT,
    "stride": Kind.SPAN,
    "no_answer": Kind.SPAN,
    "whole_words": Kind.TEXT,
}
#: Fields that say on what evaluations are made.
_OF_EVALUATIONS = frozenset({"dev_examples", "dev_languages"})
#: Fields that always stay in the key of a mixture: a preset sets the stride of all mixtures, and epochs have a part in
#: how the steps are shared, even where ``steps`` says how many there are.
_OF_MIXTURES = frozenset({"stride", "epochs"})


def without_effect(kinds: Collection[str], mixed: bool = False) -> frozenset[str]:
    """The fields that change nothing for tasks of these kinds; ``mixed``: as members of a mixture."""
    unused = frozenset(name for name, kind in _FOR.items() if kind not in kinds)
    return unused - _OF_MIXTURES if mixed else unused


def effective(recipe: Recipe, kinds: Collection[str], mixed: bool) -> Recipe:
    """The recipe of a training on ``kinds``, with the fields that have no effect at their defaults."""
    unused = without_effect(kinds, mixed)
    if recipe.evaluate_every is None:
        unused |= _OF_EVALUATIONS
    if recipe.steps is not None and not mixed:
        unused |= {"epochs"}
    return recipe.model_copy(update={name: Recipe.model_fields[name].default for name in unused})
