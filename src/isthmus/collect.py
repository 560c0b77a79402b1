"""From the records of a study's stages to its `Results`. Reads the store; runs nothing."""

from collections.abc import Container, Mapping
from importlib import metadata

import numpy as np
import pyarrow.parquet as pq

from isthmus.evaluate.metrics import metric
from isthmus.model.card import decides
from isthmus.plan import Plan
from isthmus.results import Chain, CurvePoint, DevPoint, Results, Score, StageSummary, Statistics, TaskFacts
from isthmus.runner import State
from isthmus.stage import Record
from isthmus.store import Store
from isthmus.tasks.core import Task


def collect(
    plan: Plan, store: Store, states: Mapping[str, State], errors: Mapping[str, str], study_yaml: str, command: str
) -> Results:
    """Everything that the finished stages of ``plan`` have to show, and what became of the others."""
    records = {key: store.record(key) for key in plan.stages}
    scores: list[Score] = []
    for planned in plan.chains:
        record = records[planned.score] if planned.score else None
        if record is not None:
            scores.extend(_scores(planned.chain, record, store, tuned_on(plan, planned.model)))
    stages = tuple(_summary(plan, key, records[key], states[key], errors.get(key, "")) for key in plan.stages)
    notes = [note for record in records.values() if record for note in record.result.get("notes", ())]
    done = [record for record in records.values() if record]
    return Results(
        study_name=plan.study.name,
        study_yaml=study_yaml,
        tasks=tuple(_facts(task) for _, task in sorted(plan.tasks.items())),
        chains=tuple(planned.chain for planned in plan.chains),
        scores=tuple(scores),
        stages=stages,
        versions=dict(done[-1].versions) if done else {"isthmus": metadata.version("isthmus")},
        machine="; ".join(sorted({record.machine for record in done})),
        command=command,
        model_notes=tuple(dict.fromkeys(notes)),
    )


def tuned_on(plan: Plan, key: str) -> tuple[str, ...]:
    """The languages in which the model of that stage is no longer zero-shot: dev rows in them decided something.

    That is so where a training of it, or of a model that it began as, stopped or chose its checkpoint by them.
    """
    stage = plan.stages[key]
    before = tuned_on(plan, stage.inputs["model"]) if "model" in stage.inputs else ()
    decided = stage.function == "model" or decides(stage.identity.get("recipe", {}))
    return tuple(dict.fromkeys([*before, *(stage.hints.get("tuned_on", ()) if decided else ())]))


def statistics_of(record: Record, store: Store) -> dict[str, Statistics]:
    """The per-example statistics of a finished score stage, by language."""
    measure = metric(record.result["metric"])
    table = pq.read_table(store.stage_folder(record.key) / "statistics.parquet")
    names = np.asarray(table.column("language").to_pylist(), dtype=object)
    ids, groups = (np.asarray(table.column(column).to_pylist(), dtype=object) for column in ("id", "group"))
    values = np.column_stack([table.column(column).to_numpy() for column in measure.columns])
    found = {}
    for language in record.result["scores"]:
        rows = np.flatnonzero(names == language)
        found[language] = Statistics(tuple(ids[rows]), tuple(groups[rows]), values[rows])
    return found


def _scores(chain: Chain, record: Record, store: Store, tuned: Container[str]) -> list[Score]:
    """The scores of one chain, a language each, with the statistics they are made of."""
    name, values = record.result["metric"], record.result["scores"]
    return [
        Score(chain, language, name, float(values[language]), statistics, language in tuned)
        for language, statistics in statistics_of(record, store).items()
    ]


def _summary(plan: Plan, key: str, record: Record | None, state: State, error: str) -> StageSummary:
    stage = plan.stages[key]
    if record is None:
        return StageSummary(key, stage.title, stage.function, str(state), error=error)
    curve = tuple(CurvePoint(**point) for point in record.result.get("curve", ()))
    return StageSummary(
        key,
        stage.title,
        stage.function,
        str(state),
        record.seconds,
        record.peak_memory,
        curve,
        record.warnings,
        dev=tuple(DevPoint(**point) for point in record.result.get("dev", ())),
        kept_step=record.result.get("kept_step", 0),
    )


def _facts(of: Task) -> TaskFacts:
    return TaskFacts(of.name, str(of.kind), of.description, of.labels_are, of.derivation, of.licence, of.train_language)
