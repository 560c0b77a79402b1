"""Suites: which tasks in which languages make a benchmark, and how their scores become averages.

XTREME (Hu et al. 2020) and XTREME-R (Ruder et al. 2021) average without weights, from the inside out: over languages
to a task's score, over tasks to a group's, and over tasks, each counted once, to ``all_task``. An average is shown only
where everything it is made of is there.

Two things are open in XTREME-R's published code, and settled here:

- LAReQA is listed there with no languages and nothing reads it, so its ``all_task`` can never be computed. Here it has
  its eleven languages, and ``all_task`` is the mean of all ten tasks. The group ``retrieval`` stays what that code
  computes, Tatoeba and Mewsli-X; ``retrieval_all`` has LAReQA as well.
- XCOPA is in two groups, ``classification`` and ``multi_choice``. So it is here, and in ``all_task`` once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from isthmus.errors import SpecError, nearest

Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Suite:
    """A benchmark of several tasks.

    Attributes:
        name: on the command line. title: as its authors write it.
        languages: the languages of each task (BCP 47), in the order of the publication.
        groups: tasks that are averaged together, as the published code does it.
        own_groups: further averages, which that code does not have.
        retrieval: the tasks that nothing is trained for: the average without them is shown beside.
        diagnostics: sets that are scored beside the suite and are in no average.
    """

    name: str
    title: str
    languages: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, tuple[str, ...]]
    own_groups: Mapping[str, tuple[str, ...]]
    retrieval: tuple[str, ...]
    diagnostics: tuple[str, ...] = ()
    citation: str = ""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return tuple(self.languages)


def _listed(names: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({name: tuple(members.split()) for name, members in names.items()})


_XNLI = "ar bg de el en es fr hi ru sw th tr ur vi zh"
_PANX = (
    "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw yo my zh kk tr et "
    "fi hu"
)
_UDPOS = "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
_TATOEBA = "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu"
_XQUAD = "en es de el ru tr ar vi th zh hi"
_MLQA = "en es de ar hi vi zh"
_TYDIQA = "en ar bn fi id ko ru sw te"

XTREME = Suite(
    name="xtreme",
    title="XTREME",
    languages=_listed(
        {
            "pawsx": "de en es fr ja ko zh",
            "xnli": _XNLI,
            "panx": _PANX,
            "udpos": _UDPOS,
            "bucc2018": "de fr ru zh",
            "tatoeba": _TATOEBA,
            "xquad": _XQUAD,
            "mlqa": _MLQA,
            "tydiqa": _TYDIQA,
        }
    ),
    groups=_listed(
        {
            "classification": "pawsx xnli",
            "tagging": "udpos panx",
            "qa": "xquad mlqa tydiqa",
            "retrieval": "bucc2018 tatoeba",
        }
    ),
    own_groups=_listed({"without_retrieval": "pawsx xnli panx udpos xquad mlqa tydiqa"}),
    retrieval=("bucc2018", "tatoeba"),
    citation=(
        "Hu, Ruder, Siddhant, Neubig, Firat and Johnson (2020). XTREME: A Massively Multilingual Multi-task Benchmark "
        "for Evaluating Cross-lingual Generalisation. ICML."
    ),
)

XTREME_R = Suite(
    name="xtreme-r",
    title="XTREME-R",
    languages=_listed(
        {
            "xnli": _XNLI,
            "panx": f"{_PANX} qu pl uk az lt pa gu ro",
            "udpos": f"{_UDPOS} lt pl uk wo ro",
            "tatoeba": f"{_TATOEBA} az lt pl uk ro",
            "xcopa": "et ht id it qu sw ta th tr vi zh",
            "lareqa": _XQUAD,
            "mewslix": "ar de en es fa ja pl ro ta tr uk",
            "xquad": f"{_XQUAD} ro",
            "mlqa": _MLQA,
            "tydiqa": _TYDIQA,
        }
    ),
    groups=_listed(
        {
            "classification": "xnli xcopa",
            "tagging": "udpos panx",
            "qa": "xquad mlqa tydiqa",
            "retrieval": "tatoeba mewslix",
            "multi_choice": "xcopa",
        }
    ),
    own_groups=_listed(
        {
            "retrieval_all": "tatoeba mewslix lareqa",
            "without_retrieval": "xnli panx udpos xcopa xquad mlqa tydiqa",
        }
    ),
    retrieval=("tatoeba", "mewslix", "lareqa"),
    diagnostics=("multichecklist",),
    citation=(
        "Ruder, Constant, Botha, Siddhant, Firat, Fu, Liu, Hu, Garrette, Neubig and Johnson (2021). XTREME-R: Towards "
        "More Challenging and Nuanced Multilingual Evaluation. EMNLP."
    ),
)

_SUITES: Mapping[str, Suite] = MappingProxyType({suite.name: suite for suite in (XTREME, XTREME_R)})


def suites() -> Mapping[str, Suite]:
    """Every suite, by name."""
    return _SUITES


def suite(name: str) -> Suite:
    """The suite called ``name``. Raises SpecError naming the nearest ones."""
    if name not in _SUITES:
        raise SpecError(f"No suite is called {name!r}: {nearest(name, _SUITES)}")
    return _SUITES[name]


@dataclass(frozen=True)
class Coverage:
    """What of a suite was measured: languages there, and languages expected, by task."""

    there: Mapping[str, tuple[str, ...]]
    expected: Mapping[str, tuple[str, ...]]

    @property
    def missing(self) -> dict[str, tuple[str, ...]]:
        """Task -> its languages that are not there, for tasks that lack any."""
        lacking = {
            task: tuple(language for language in languages if language not in self.there.get(task, ()))
            for task, languages in self.expected.items()
        }
        return {task: languages for task, languages in lacking.items() if languages}

    @property
    def complete(self) -> tuple[str, ...]:
        """The tasks that lack no language."""
        return tuple(task for task in self.expected if task not in self.missing)

    @property
    def pairs(self) -> tuple[int, int]:
        """How many pairs of a task and a language are there, and how many are expected."""
        return sum(map(len, self.there.values())), sum(map(len, self.expected.values()))


@dataclass(frozen=True)
class Averages:
    """A suite's averages, 0 to 100.

    Attributes:
        tasks: mean over the languages that are there, whether all are (`Coverage.complete`) or not.
        groups, own_groups: means over the tasks of those groups that lack nothing.
        all_task: the mean over all tasks; None unless every task has every language.
        so_far: the mean over the tasks that are there, however complete; None where there is none.
        so_far_without_retrieval: the same, less the retrieval tasks.
        coverage: what these figures rest on.
    """

    tasks: Mapping[str, float]
    groups: Mapping[str, float]
    own_groups: Mapping[str, float]
    all_task: float | None
    so_far: float | None
    so_far_without_retrieval: float | None
    coverage: Coverage


def aggregate(scores: Scores, of: Suite) -> Averages:
    """The averages of a suite from plain figures.

    Args:
        scores: task -> language -> the task's score (for question answering, the mean of exact match and F1). Tasks and
            languages that are not the suite's are left out.
        of: the suite.
    """
    there = {
        task: {language: scores[task][language] for language in languages if language in scores.get(task, {})}
        for task, languages in of.languages.items()
    }
    tasks = {task: _mean(values) for task, values in there.items() if values}
    coverage = Coverage({task: tuple(values) for task, values in there.items()}, of.languages)
    complete = coverage.complete

    def over(groups: Mapping[str, tuple[str, ...]]) -> dict[str, float]:
        whole = {group: members for group, members in groups.items() if set(members) <= set(complete)}
        return {group: _mean({task: tasks[task] for task in members}) for group, members in whole.items()}

    trained = {task: value for task, value in tasks.items() if task not in of.retrieval}
    return Averages(
        tasks,
        over(of.groups),
        over(of.own_groups),
        _mean(tasks) if len(complete) == len(of.languages) else None,
        _mean(tasks) if tasks else None,
        _mean(trained) if trained else None,
        coverage,
    )


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)
