"""The table of results: a row for each chain, language and metric, from the records of finished stages.

No model is loaded and no prediction is read. Of the per-example statistics a few files are read to count examples and
groups: one for each test set, however many chains were measured on it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import repeat
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.collect import tuned_on
from isthmus.data.schema import Kind
from isthmus.errors import StoreError
from isthmus.languages import language
from isthmus.planning.plan import Plan, PlannedChain
from isthmus.results import Chain
from isthmus.stage import Record
from isthmus.store import Store
from isthmus.study.spec import NONE, sized, steps_of
from isthmus.tidy.columns import RESULTS, schema

#: Metric -> language -> score.
_Scores = Mapping[str, Mapping[str, float]]


class Size(NamedTuple):
    """How many test rows there are, and how many groups they belong to."""

    examples: int
    groups: int


@dataclass(frozen=True)
class Measured:
    """A chain whose scores are there.

    Attributes:
        path: the keys of all stages that it needs, each after those it builds on.
    """

    planned: PlannedChain
    record: Record
    path: tuple[str, ...]

    @property
    def chain(self) -> Chain:
        """The chain itself."""
        return self.planned.chain

    @property
    def scores(self) -> _Scores:
        """The scores by metric and language, the main metric first."""
        result = self.record.result
        return {result["metric"]: result["scores"], **result.get("also", {})}


def table_of(plan: Plan, store: Store) -> pa.Table:
    """The table of the finished chains of ``plan``, with the columns `RESULTS`.

    Raises:
        StoreError: a file that is read was altered.
    """
    found = list(measured(plan, store))
    facts = _Facts(plan, store, {each.record.key: each.record for each in found})
    scores = {_place(each.chain): each.scores for each in found if each.chain.intermediate == NONE}
    rows: dict[str, list[Any]] = {name: [] for name in ("chain", *_OF_ROWS)}
    for number, each in enumerate(found):
        below = scores.get(_place(each.chain), {}) if each.chain.intermediate != NONE else {}
        _add_rows(rows, number, each, below, facts)
    chains = pa.Table.from_pylist([facts.of_chain(each) for each in found], _part(_OF_CHAINS))
    tags = list(dict.fromkeys(rows["language"]))
    named = {tag: number for number, tag in enumerate(tags)}
    languages = pa.Table.from_pylist(list(map(_of_language, tags)), _part(_OF_LANGUAGES))
    columns = {
        **_columns(chains.take(pa.array(rows.pop("chain"), pa.int64()))),
        **_columns(languages.take(pa.array([named[tag] for tag in rows["language"]], pa.int64()))),
        **{name: pa.array(values, _TYPES[name], from_pandas=True) for name, values in rows.items()},
    }
    return pa.table([columns[column.name] for column in RESULTS], schema(RESULTS))


def measured(plan: Plan, store: Store) -> Iterator[Measured]:
    """The chains of ``plan`` that have been scored, in its order."""
    path = _paths(plan)
    for planned in plan.chains:
        record = store.record(planned.score) if planned.score else None
        if planned.score and record is not None:
            yield Measured(planned, record, path(planned.score))


def size_of(chain: Chain) -> int | None:
    """The rows that were asked for of each intermediate task; None where nothing was, or not the same."""
    sizes = {sized(step)[1] for step in steps_of(chain.intermediate)}
    return sizes.pop() if len(sizes) == 1 else None


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _paths(plan: Plan) -> Callable[[str], tuple[str, ...]]:
    """The keys of the stages that lead to a stage, and its own."""

    @cache
    def path(key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*(each for need in plan.needs(key) for each in path(need)), key]))

    return path


def _place(chain: Chain) -> tuple[object, ...]:
    """What a chain shares with its baseline."""
    return chain.model, chain.recipe, chain.target, chain.seed


def _add_rows(rows: Mapping[str, list[Any]], number: int, of: Measured, baseline: _Scores, facts: "_Facts") -> None:
    """Add the rows of chain ``number``."""
    sizes, trained = facts.sizes(of), facts.trained_in(of.planned.model)
    tuned = facts.tuned(of.planned.model)
    collapsed = {warning.partition(": ")[0] for warning in of.record.warnings if ": collapsed" in warning}
    for name, scores in of.scores.items():
        tags, below = list(scores), baseline.get(name, {})
        found: dict[str, Iterable[Any]] = {
            "chain": repeat(number, len(tags)),
            "language": tags,
            "metric": repeat(name, len(tags)),
            "main": repeat(name == of.record.result["metric"], len(tags)),
            "score": scores.values(),
            "baseline": map(below.get, tags),
            "gain": [score - below[tag] if tag in below else None for tag, score in scores.items()],
            "examples": [sizes[tag].examples for tag in tags],
            "groups": [sizes[tag].groups for tag in tags],
            "zero_shot": [tag not in trained and tag not in tuned for tag in tags],
            "tuned": [tag in tuned for tag in tags],
            "collapsed": [tag in collapsed for tag in tags],
        }
        for column, values in found.items():
            rows[column].extend(values)


class _Facts:
    """What is told of chains, each fact found out once."""

    def __init__(self, plan: Plan, store: Store, records: Mapping[str, Record]) -> None:
        self._plan, self._store = plan, store
        path = _paths(plan)
        self._needed = Counter(key for chain in plan.chains if chain.score for key in path(chain.score))
        self._records: dict[str, Record | None] = dict(records)
        self._sizes: dict[str, list[tuple[Any, Mapping[str, Size]]]] = {}
        self.tuned: Callable[[str], frozenset[str]] = cache(lambda key: frozenset(tuned_on(plan, key)))
        self.trained_in: Callable[[str], frozenset[str]] = cache(self._trained_in)

    def _record(self, key: str) -> Record | None:
        if key not in self._records:
            self._records[key] = self._store.record(key)
        return self._records[key]

    def sizes(self, of: Measured) -> Mapping[str, Size]:
        """The size of each language's test set: that of the same rows is known."""
        assert of.planned.predictions is not None and of.planned.score is not None
        identity = self._plan.stages[of.planned.predictions].identity
        rows = (identity["test"], identity.get("limit"))
        known = self._sizes.setdefault(of.chain.target, [])
        for there, sizes in known:
            if there == rows:
                return sizes
        known.append((rows, _counted(of.planned.score, self._store)))
        return known[-1][1]

    def _trainings(self, key: str) -> tuple[str, ...]:
        """The keys of the trainings behind a model, in order."""
        stage = self._plan.stages[key]
        before = self._trainings(stage.inputs["model"]) if "model" in stage.inputs else ()
        return (*before, key) if stage.function == "train" else before

    def _trained_in(self, key: str) -> frozenset[str]:
        """The languages of the labelled rows that the model of that stage was trained on."""
        told = [each for stage in self._trainings(key) for each in self._plan.stages[stage].hints.get("members", ())]
        named = (each["language"] for each in told if each.get("kind") != Kind.TEXT)
        return frozenset(tag.strip() for tags in named for tag in str(tags).split(","))

    def of_chain(self, of: Measured) -> dict[str, Any]:
        """The columns that are the same in all rows of a chain."""
        chain, planned, plan = of.chain, of.planned, self._plan
        trainings = self._trainings(planned.model)
        first = len(steps_of(chain.intermediate))
        records = [self._record(key) for key in of.path]
        peaks = [record.peak_memory for record in records if record]
        return {
            "study": plan.study.name,
            **chain_columns(chain),
            "kind": str(plan.tasks[chain.target].kind),
            "intermediate_rows": self._rows(trainings[:first]),
            "target_rows": self._rows(trainings[first:]),
            "own_seconds": self._seconds([key for key in of.path if self._needed[key] == 1]),
            "shared_seconds": self._seconds([key for key in of.path if self._needed[key] > 1]),
            "peak_memory": max(peaks, default=None),
            "model_stage": planned.model,
            "predictions_stage": planned.predictions,
            "score_stage": planned.score,
            "finished": _end(of.record),
        }

    def _rows(self, trainings: Sequence[str]) -> int | None:
        """The rows that these trainings saw; None where a record of theirs is gone."""
        records = [self._record(key) for key in trainings]
        found = [record.result["history"][-1]["examples"] for record in records if record]
        return sum(found) if len(found) == len(records) else None

    def _seconds(self, keys: Sequence[str]) -> float | None:
        """The seconds that these stages took together; None where a record of theirs is gone."""
        found = [record.seconds for key in keys if (record := self._record(key))]
        return round(sum(found), 3) if len(found) == len(keys) else None


def chain_columns(chain: Chain) -> dict[str, Any]:
    """What names a chain, by column."""
    return {
        "model": chain.model,
        "recipe": chain.recipe,
        "intermediate": chain.intermediate,
        "size": size_of(chain),
        "target": chain.target,
        "seed": chain.seed,
    }


def _end(record: Record) -> datetime:
    return datetime.fromisoformat(record.started) + timedelta(seconds=record.seconds)


def _of_language(tag: str) -> dict[str, str]:
    fact = language(tag)
    return {"language_name": fact.name, "family": fact.family, "script": fact.script, "resource": fact.resource}


def _counted(key: str, store: Store) -> dict[str, Size]:
    """The examples and groups of each language that a score stage has statistics of."""
    intact(key, store)
    table = pq.read_table(store.stage_folder(key) / "statistics.parquet", columns=["language", "group"])
    counts = table.group_by("language").aggregate([("group", "count"), ("group", "count_distinct")])
    names = ("language", "group_count", "group_count_distinct")
    rows = zip(*(counts.column(name).to_pylist() for name in names), strict=True)
    return {tag: Size(examples, groups) for tag, examples, groups in rows}


def intact(key: str, store: Store) -> None:
    """Raises StoreError where a file of a finished stage was altered, or is gone."""
    if damage := store.damage(key):
        raise StoreError(f"{damage[0]}: run the study again, which makes it anew.")


_TYPES = {column.name: column.type for column in RESULTS}
_OF_LANGUAGES = ("language_name", "family", "script", "resource")
_OF_ROWS = (
    *("language", "metric", "main", "score", "baseline", "gain", "examples", "groups"),
    *("zero_shot", "tuned", "collapsed"),
)
_OF_CHAINS = tuple(column.name for column in RESULTS if column.name not in (*_OF_LANGUAGES, *_OF_ROWS))


def _part(names: Sequence[str]) -> pa.Schema:
    return schema([column for column in RESULTS if column.name in names])
