"""How the steps of a mixture are shared between its members, as a plan knows it."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from isthmus.data.catalog import SplitFacts
from isthmus.planning.plan import Plan
from isthmus.stage import Json
from isthmus.study.spec import Recipe
from isthmus.train.schedule import Size, steps_of, told_mixture


class Share(NamedTuple):
    """A member of a mixture: the rows it has to train on, its share of the steps, 0 to 1, and their number.

    The share is of rows. Where one row is several inputs (the windows of a long text) there are more steps than that.
    """

    name: str
    rows: int
    share: float
    masked: bool
    steps: int


def shares_of(plan: Plan, key: str) -> list[Share]:
    """The members of the mixture that a stage trains on; none of a single task."""
    identity = plan.stages[key].identity
    members: Sequence[Mapping[str, Json]] = identity.get("members", ())
    if not members:
        return []
    recipe = Recipe.model_validate(identity["recipe"])
    reads, sizes = iter(plan.reads[key]), []
    for member in members:
        own = Recipe.model_validate({**recipe.model_dump(), **member.get("recipe", {})})
        sources = member["train"] if isinstance(member["train"], list) else [member["train"]]
        rows = _rows(list(islice(reads, len(sources))), own.train_examples)
        sizes.append(Size(rows, own.batch_size, "text_of" in member))
    steps = steps_of(sizes, recipe, told_mixture(identity))
    return [
        Share(member["name"], size.features, count / sum(steps), size.masked, count)
        for member, size, count in zip(members, sizes, steps, strict=True)
    ]


def _rows(reads: Sequence[SplitFacts], most: int | None) -> int:
    return sum(min(fact.rows, most or fact.rows) for fact in reads)
