"""From the records of a study's stages to its `Results`. Reads the store; runs nothing."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from importlib import metadata

import numpy as np
import pyarrow.parquet as pq

from isthmus.evaluate.metrics import metric
from isthmus.examples import examples_of
from isthmus.model.card import decides
from isthmus.planning.plan import Plan
from isthmus.results import (
    Chain,
    CurvePoint,
    DataFacts,
    DevPoint,
    Results,
    Score,
    StageSummary,
    Statistics,
    TaskFacts,
)
from isthmus.running.attempts import attempts_of, failure_of
from isthmus.running.runner import State
from isthmus.stage import Record
from isthmus.store import Store
from isthmus.tasks.core import Task


def collect(
    plan: Plan,
    store: Store,
    states: Mapping[str, State],
    errors: Mapping[str, str],
    study_yaml: str,
    command: str,
    examples: bool = True,
) -> Results:
    """Everything that the finished stages of ``plan`` have to show, and what became of the others.

    With ``examples`` there are test rows among it: those whose outcome an intermediate task changes.
    """
    records = {key: store.record(key) for key in plan.stages}
    scores: list[Score] = []
    for planned in plan.chains:
        record = records[planned.score] if planned.score else None
        if record is not None:
            scores.extend(_scores(planned.chain, record, store, tuned_on(plan, planned.model)))
    sizes = _sizes(records)
    stages = tuple(
        replace(
            _summary(plan, key, records[key], states[key]),
            error=errors.get(key) or _failure(store, key, states[key]),
            size=sizes[key],
            builds_on=plan.needs(key),
            attempts=_attempts(store, key, records[key]),
        )
        for key in plan.stages
    )
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
        paths=tuple(_path(plan, planned.score or planned.predictions or planned.model) for planned in plan.chains),
        data=tuple(dict.fromkeys(_data(plan))),
        examples=examples_of(plan, store, scores) if examples else (),
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


def _summary(plan: Plan, key: str, record: Record | None, state: State) -> StageSummary:
    stage = plan.stages[key]
    if record is None:
        return StageSummary(key, stage.title, stage.function, str(state))
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
        started=record.started,
    )


def _failure(store: Store, key: str, state: State) -> str:
    """Why a stage failed when it was last tried; nothing where it did not, or did not say."""
    failure = failure_of(store.work_folder(key)) if state is State.FAILED else None
    return failure.error if failure else ""


def _attempts(store: Store, key: str, record: Record | None) -> tuple[str, ...]:
    """The attempts at a stage that ended without a result, in words."""
    folder = store.stage_folder(key) if record else store.work_folder(key)
    return tuple(f"{each.ended}, after {each.seconds:.0f} s: {each.reason}" for each in attempts_of(folder))


def _sizes(records: Mapping[str, Record | None]) -> dict[str, int]:
    """Bytes that each stage added to the store: a file with the content of one that was there before is a link."""
    seen: set[str] = set()
    sizes = {}
    for key, record in records.items():  # each after those it builds on
        files = {fact.sha256: fact.size for fact in record.files.values()} if record else {}
        sizes[key] = sum(size for content, size in files.items() if content not in seen)
        seen.update(files)
    return sizes


def _path(plan: Plan, last: str) -> tuple[str, ...]:
    """The stages that ``last`` builds on, and itself, each after those it builds on."""
    found: dict[str, None] = {}
    for need in plan.needs(last):
        found |= dict.fromkeys(_path(plan, need))
    return (*found, last)


def _data(plan: Plan) -> Iterator[DataFacts]:
    """The rows that the stages read, those for training first."""
    measured = [key for key, stage in plan.stages.items() if stage.function == "predict"]
    for key, reads in plan.reads.items():
        hints = plan.stages[key].hints
        members = hints.get("members", ())
        for place, facts in enumerate(reads if key not in measured else ()):
            told = members[place] if len(members) == len(reads) else hints
            task, language = str(told.get("task", "")), str(told.get("language", ""))
            yield DataFacts(task, "trained on", language, facts.rows, facts.fingerprint, facts.notes)
    for key in measured:
        tested = plan.stages[key].identity["test"]
        task = str(plan.stages[key].hints.get("task", ""))
        for language, facts in zip(tested, plan.reads[key], strict=False):
            yield DataFacts(task, "measured on", language, facts.rows, facts.fingerprint, facts.notes)


def _facts(of: Task) -> TaskFacts:
    return TaskFacts(of.name, str(of.kind), of.description, of.labels_are, of.derivation, of.licence, of.train_language)
