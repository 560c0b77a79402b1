"""Mixtures that come with the library: tasks that are trained together."""

from collections.abc import Mapping
from types import MappingProxyType

from isthmus.errors import SpecError, nearest
from isthmus.study.spec import Mixture

_PLUS = ("snli", "mnli", "anli")
_OTHERS = ("qqp", "squad", "squad-v2", "hellaswag", "cosmosqa", "commonsenseqa")
#: The paper publishes none. Rows beyond it do not make a task more frequent, so that two of ten have not most steps.
_CAP = 100_000

MIXTURES: Mapping[str, Mixture] = MappingProxyType(
    {
        "anli-plus": Mixture(tasks=_PLUS, sampling="proportional", heads="shared"),
        "nine": Mixture(tasks=(*_PLUS, *_OTHERS, "ccg"), sampling="proportional", cap=_CAP),
        "nine-free": Mixture(tasks=(*_PLUS, *_OTHERS, "ccg-pmb"), sampling="proportional", cap=_CAP),
    }
)
_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "anli-plus": "ANLI+ of Phang et al. 2020: SNLI, MultiNLI and the three rounds of ANLI, drawn in proportion to "
        "their rows, with one head.",
        "nine": "The nine intermediate tasks of Phang et al. 2020 together. ANLI+ is there by its parts, and MultiNLI "
        f"therefore once; each has a head of its own, and more than {_CAP:,} rows count as that many: our choice.",
        "nine-free": "The mixture `nine` with the Parallel Meaning Bank, which is free, in place of CCGbank.",
    }
)


def description(name: str) -> str:
    """What the mixture is, in a few words. Raises SpecError where there is none of that name."""
    if name not in _DESCRIPTIONS:
        raise SpecError(f"No mixture is called {name!r}: {nearest(name, MIXTURES)}")
    return _DESCRIPTIONS[name]
