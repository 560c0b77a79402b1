"""Test examples whose outcome an intermediate task changes: what it fixed, and what it broke.

They are chosen by the per-example statistics alone, evenly over languages, and always the same ones. Only then are the
predictions and the rows of those few read.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from isthmus.data.catalog import read_rows
from isthmus.errors import DataError
from isthmus.evaluate.metrics import metric
from isthmus.example_texts import shown
from isthmus.planning.plan import Plan
from isthmus.results import Chain, Example, Score
from isthmus.store import Store
from isthmus.study.spec import NONE

#: Examples of a whole study, and of one intermediate task on one target.
TOTAL, MOST = 1800, 48
_Key = tuple[str, str, str]  # setting, target, intermediate


class _Found(NamedTuple):
    """An example whose outcome differs: where it is, and how much, in means over seeds."""

    language: str
    id: str
    seed: int
    baseline: float
    score: float


def examples_of(plan: Plan, store: Store, scores: Sequence[Score], total: int = TOTAL) -> tuple[Example, ...]:
    """At most ``total`` examples, as many of each intermediate task on each target; half of them fixed, half broken.

    Rows or predictions that cannot be read any more have no examples.
    """
    by_cell: dict[_Key, dict[str, dict[int, Score]]] = {}
    for score in scores:
        cell = by_cell.setdefault((score.chain.setting, score.chain.target, score.chain.intermediate), {})
        cell.setdefault(score.language, {})[score.chain.seed] = score
    cells = [key for key in by_cell if key[2] != NONE and (*key[:2], NONE) in by_cell]
    if not cells:
        return ()
    most = min(MOST, max(2, total // len(cells)))
    rows = _Rows(plan, store)
    found: list[Example] = []
    for key in cells[: total // most]:
        with_, without = by_cell[key], by_cell[*key[:2], NONE]
        found += _of_cell(key, _chosen(key, with_, without, most), rows, len(_seeds(with_, without)))
    return tuple(found)


def _seeds(with_: Mapping[str, Mapping[int, Score]], without: Mapping[str, Mapping[int, Score]]) -> list[int]:
    sides = [{seed for by_seed in side.values() for seed in by_seed} for side in (with_, without)]
    return sorted(sides[0] & sides[1])


def _chosen(
    key: _Key, with_: Mapping[str, Mapping[int, Score]], without: Mapping[str, Mapping[int, Score]], most: int
) -> list[_Found]:
    """Half of them fixed and half broken, if there are so many; in turn from each language, the clearest first."""
    seeds = _seeds(with_, without)
    fixed, broken = [], []
    for language in sorted(with_, key=lambda tag: _number(*key, tag)):
        sides = (with_[language], without.get(language, {}))
        if seeds and all(seed in side for side in sides for seed in seeds):
            found = _differing(key, [[side[seed] for seed in seeds] for side in sides], seeds, most)
            fixed.append(found[0])
            broken.append(found[1])
    turns = (_in_turn(fixed), _in_turn(broken[::-1]))
    chosen = [one for pair in zip_longest(*turns) for one in pair if one is not None][:most]
    return sorted(chosen, key=lambda one: (one.score < one.baseline, one.language, one.id))


def _in_turn(by_language: Sequence[Sequence[_Found]]) -> list[_Found]:
    """The first of each language, then the second of each, and so on."""
    return [one for round_ in zip_longest(*by_language) for one in round_ if one is not None]


def _differing(
    key: _Key, sides: Sequence[Sequence[Score]], seeds: Sequence[int], most: int
) -> tuple[list[_Found], list[_Found]]:
    """At most so many examples that are better in the mean over seeds, and that are worse; the clearest first.

    Each with the seed in which it differs most. Which of many alike are taken is by chance, the same way every time.
    """
    ids = sides[0][0].statistics.ids
    if any(score.statistics.ids != ids for side in sides for score in side):
        return [], []
    language = sides[0][0].language
    after, before = (np.stack([_each(score) for score in side]) for side in sides)
    difference = after - before  # (seeds, examples)
    mean = difference.mean(axis=0)
    chance = np.random.default_rng(_number(*key, language)).random(len(ids))

    def found(sign: int) -> list[_Found]:
        places = np.flatnonzero(sign * mean > 1e-9)
        chosen = places[np.lexsort((chance[places], -np.abs(mean[places])))][:most]
        return [
            _Found(
                language,
                ids[place],
                seeds[int(np.argmax(sign * difference[:, place]))],
                float(before[:, place].mean()),
                float(after[:, place].mean()),
            )
            for place in chosen
        ]

    return found(1), found(-1)


def _each(score: Score) -> NDArray[np.float64]:
    """The metric of each example alone, 0 to 100; 0 where it has none."""
    return np.nan_to_num(metric(score.metric).reduce(score.statistics.values))


def _number(*parts: str) -> int:
    """A number that depends on the parts, and on nothing else."""
    return int(hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:16], 16)


def _of_cell(key: _Key, chosen: Sequence[_Found], rows: "_Rows", seeds: int) -> Iterator[Example]:
    setting, target, intermediate = key
    for one in chosen:
        try:
            after, before = (rows.predicted((setting, target, name), one) for name in (intermediate, NONE))
            if after is None or before is None:
                continue
            what = shown(rows.row((setting, target, intermediate), one), before, after, rows.texts(key, one))
        except (OSError, KeyError, DataError, pa.ArrowInvalid):
            continue
        yield Example(
            setting, intermediate, target, one.language, one.id, *what, one.seed, one.baseline, one.score, seeds
        )


class _Rows:
    """Reads predictions and rows; a file that several examples are in is read once."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._store = store
        self._keys = {planned.chain: planned.predictions for planned in plan.chains if planned.predictions}
        self._identity = {key: plan.stages[key].identity for key in self._keys.values()}
        self._chains = {(c.setting, c.target, c.intermediate, c.seed): c for c in self._keys}
        self._table = lru_cache(maxsize=64)(self._read)
        self._predictions = lru_cache(maxsize=256)(self._read_predictions)

    def predicted(self, key: _Key, one: _Found) -> Mapping[str, Any] | None:
        """Gold and prediction of an example; None where there are none."""
        table = self._predictions(self._key(key, one), one.language)
        return _row(table, one.id)

    def row(self, key: _Key, one: _Found) -> Mapping[str, Any]:
        """The test row. Raises KeyError where there is none of that id."""
        identity = self._identity[self._key(key, one)]
        found = _row(self._table(identity["test"][one.language]), one.id)
        if found is None:
            raise KeyError(one.id)
        return {**found, "kind": identity["kind"]}

    def texts(self, key: _Key, one: _Found) -> "Texts":
        """What ids of the task stand for."""
        identity = self._identity[self._key(key, one)]
        files = list(identity.get("candidates", {}).values()) or [identity["test"][one.language]]
        return Texts(self, files)

    def text_of(self, name: str, files: Sequence[str]) -> str:
        """The text of a candidate, or of the counterpart of a sentence; the id itself where it is not found."""
        for file in files:
            found = _row(self._table(file), name)
            if found is not None:
                return str(found.get("target", found.get("text", name)))
        return name

    def _key(self, key: _Key, one: _Found) -> str:
        found: Chain = self._chains[*key, one.seed]
        return self._keys[found] or ""

    def _read(self, fingerprint: str) -> pa.Table:
        return read_rows(self._store.data_file(fingerprint))

    def _read_predictions(self, key: str, language: str) -> pa.Table:
        path = self._store.stage_folder(key) / "predictions" / f"{language}.parquet"
        return pq.read_table(path, columns=["id", "gold", "prediction"])


class Texts(NamedTuple):
    """Looks up the texts that ids stand for."""

    rows: _Rows
    files: Sequence[str]

    def of(self, name: str) -> str:
        """The text of the row of that id."""
        return self.rows.text_of(name, self.files)


def _row(table: pa.Table, name: str) -> Mapping[str, Any] | None:
    place = pc.index(table.column("id"), name).as_py()
    row: Mapping[str, Any] | None = table.slice(place, 1).to_pylist()[0] if place >= 0 else None
    return row
