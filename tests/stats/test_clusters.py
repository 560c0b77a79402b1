"""What is one source in several languages: by hand, and in the published data sets of translated texts."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from isthmus.planning.facts import bound
from isthmus.results import Statistics
from isthmus.stats.clusters import linked
from isthmus.tasks.core import Where
from isthmus.tasks.registry import task

DATA = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "data"
#: Targets whose test sets are translations, with the folder of the pack that they are in, and two of their languages.
PARALLEL = {
    "xnli": ("nli/xnli", "de", "zh"),
    "pawsx": ("paraphrase/pawsx", "de", "ja"),
    "ud-pud": ("pos/ud_pud", "de", "ko"),
    "xquad": ("qa/xquad", "tr", "zh"),
    "mlqa": ("qa/mlqa", "de", "es"),
    "sib200": ("topic/sib200", "fi", "sw"),
    "ntrex": ("parallel/ntrex", "fi", "sw"),
    "xcopa": ("mc/xcopa", "et", "sw"),
}


def of(ids: str, groups: str) -> Statistics:
    return Statistics(tuple(ids.split()), tuple(groups.split()), np.zeros((len(ids.split()), 2)))


def rows(name: str, *languages: str) -> Mapping[str, Statistics]:
    folder = DATA / PARALLEL[name][0]
    if not folder.is_dir():
        pytest.skip("no shared folder (ISTHMUS_SHARED) with data")
    source = bound(task(name), Where((folder,), hub=False, partial=True)).source
    tables = {language: source.load("test", language) for language in languages}
    return {
        language: Statistics(
            tuple(table["id"].to_pylist()), tuple(table["group"].to_pylist()), np.zeros((len(table), 2))
        )
        for language, table in tables.items()
    }


def sources(split: Statistics, groups: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(split.ids, groups, strict=True))


def test_groups_of_one_name_are_one_in_all_languages() -> None:
    splits = [of("1 2 3", "a a b"), of("2 3", "a b")]
    assert linked(splits) == [("a", "a", "b"), ("a", "b")]


def test_where_examples_disagree_with_the_names_they_link_the_groups() -> None:
    """The second language numbers its paragraphs anew: its `a` is the `b` of the first."""
    one, other, third = linked([of("1 2 3", "a a b"), of("3 4", "a b"), of("9", "a")])
    assert one[0] == one[1] != one[2]
    assert other[0] == one[2] and other[1] not in one
    assert third[0] not in (*one, *other)


@pytest.mark.parametrize("name", PARALLEL)
def test_translations_are_drawn_together(name: str) -> None:
    one, other = rows(name, *PARALLEL[name][1:]).values()
    here, there = (sources(*each) for each in zip((one, other), linked([one, other]), strict=True))
    shared = set(here) & set(there)
    assert len(shared) > 50
    assert all(here[identifier] == there[identifier] for identifier in shared)
    assert len({here[identifier] for identifier in shared}) > 25, "everything is one group"


@pytest.mark.parametrize(("name", "each"), [("xquad", 1190 / 240), ("xnli", 3), ("mlqa", 512 / 456)])
def test_examples_about_one_text_are_one_group(name: str, each: float) -> None:
    (split,) = rows(name, PARALLEL[name][1]).values()
    assert len(split.ids) / len(set(split.groups)) == pytest.approx(each)
