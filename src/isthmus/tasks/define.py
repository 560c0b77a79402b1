"""Published data sets as tasks, in a few lines each."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from isthmus.data.readers.options import Options
from isthmus.data.schema import Kind
from isthmus.data.sources.hub import Hub
from isthmus.data.sources.layout import Layout
from isthmus.data.sources.published import Dataset
from isthmus.languages import language
from isthmus.tasks.core import Task

#: The branch on which the hub keeps the Parquet it makes of data sets that are scripts.
PARQUET = "refs/convert/parquet"
#: Splits of data sets whose test labels nobody has: their dev set is measured.
DEV_AS_TEST: Mapping[str, str] = {"train": "train", "test": "dev"}
HUB_DEV_AS_TEST: Mapping[str, str] = {"train": "train", "test": "validation"}


def published(  # noqa: PLR0913 - a data set has as many properties
    name: str,
    kind: Kind,
    description: str,
    languages: str,
    layouts: Sequence[Layout],
    *,
    licence: str,
    homepage: str,
    citation: str,
    metric: str = "accuracy",
    rows: str = "",
    hub: Hub | None = None,
    train: str | None = None,
    trains_on: tuple[str, ...] | None = None,
    trained: str = "",
    labels: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
    group: str = "",
    pool: bool = False,
    recipe: Mapping[str, Any] | None = None,
    retrieval: Mapping[str, Any] | None = None,
    labels_are: Literal["annotated", "derived"] = "annotated",
    derivation: str = "",
) -> Task:
    """A task whose rows are published.

    Args:
        languages: those that are measured: the data set's own codes, or ``tag=code``, apart by spaces.
        layouts: of its files, the official one of the benchmark first.
        rows: how many are expected, as in ``train=392702 test=5010 test/sw=390`` (languages by tag).
        train: the language of its training split.
        trains_on: the tasks that a model is trained on before it is measured, where that is not its own training split.
        trained: the code of the training language, where that is not measured.
        group: the role whose equal values make a group: ``text`` where rows share their premise.
        pool: are the candidates of all languages searched together?
    """
    codes = _codes(languages)
    tags = tuple(codes)
    expected = dict(pair.split("=") for pair in rows.split())
    everything = {**codes, **_codes(trained)}
    pooled = tags if pool else ()
    return Task(
        name=name,
        kind=kind,
        description=description,
        languages=tags,
        metric=metric,
        source=Dataset(name, kind, everything, tuple(layouts), hub, homepage, group, pooled, labels),
        licence=licence,
        labels_are=labels_are,
        train_language=train,
        labels=labels,
        also=also,
        trains_on=trains_on,
        pool=pooled,
        recipe=recipe or {},
        retrieval=retrieval or {},
        expected_rows={split: int(number) for split, number in expected.items()},
        derivation=derivation,
        homepage=homepage,
        citation=citation,
    )


def _codes(spec: str) -> Mapping[str, str]:
    """``"en ace_Arab ban=balinese"`` as tag -> code. A word without ``=`` is the code."""
    pairs = [word.partition("=") for word in spec.split()]
    found = {language(first).tag: code or first for first, _, code in pairs}
    assert len(found) == len(pairs), f"two codes are one language in {spec!r}"
    return found


def cells(
    form: Literal["csv", "tsv"], quoting: Literal["auto", "csv", "none"] = "auto", **columns: str | int
) -> Options:
    """A table with these columns, by name or, where it has no header, by number."""
    return Options(columns=columns, form=form, quoting=quoting)


def objects(**columns: str | int) -> Options:
    """JSON Lines with these keys."""
    return Options(columns=columns, form="jsonl")


def words(tokens: int, tags: int) -> Options:
    """CoNLL with words and tags in these columns, counted from 1."""
    return Options(columns={"tokens": tokens, "tags": tags}, form="conll")


def tags(types: str) -> tuple[str, ...]:
    """``O``, and ``B-`` and ``I-`` of each type."""
    return ("O", *(f"{prefix}-{each}" for each in types.split() for prefix in "BI"))


def only(splits: str) -> Mapping[str, str]:
    """``"train test=dev"`` as split -> what it is called."""
    return {split: name or split for split, _, name in (word.partition("=") for word in splits.split())}


__all__ = [
    "DEV_AS_TEST",
    "HUB_DEV_AS_TEST",
    "PARQUET",
    "Hub",
    "Layout",
    "cells",
    "objects",
    "only",
    "published",
    "tags",
    "words",
]
