"""``isthmus why``: what a stage builds on, what builds on it, and why it is or is not up to date."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.commands.naming import find
from isthmus.commands.studies_kept import kept_studies, plan_of
from isthmus.commands.watching import reason_of, running_of
from isthmus.errors import IsthmusError
from isthmus.planning.plan import Plan
from isthmus.running.attempts import attempts_of
from isthmus.running.runner import State
from isthmus.stage import VERSIONS, Json
from isthmus.store import Store

_FINGERPRINT = 40  # hexadecimal digits and more are a hash: the beginning will do


class Known(NamedTuple):
    """A stage as a plan or the store has it. ``version`` is that of its function."""

    key: str
    title: str
    function: str
    version: int
    identity: Mapping[str, Json]
    inputs: Mapping[str, str]


class Difference(NamedTuple):
    """A field of a stage that is another in the nearest stage of the store."""

    field: str
    here: str
    there: str


class Nearest(NamedTuple):
    """The finished stage that is most like one that is not, and what tells them apart."""

    key: str
    title: str
    differences: tuple[Difference, ...]


class Graph:
    """The stages of some studies and of the store, with what builds on what."""

    def __init__(self, store: Store, plans: Mapping[str, Plan]) -> None:
        self.store, self.plans = store, plans
        self.planned = {key: _planned(plan, key) for plan in plans.values() for key in plan.stages}
        self.finished = {key: known for key in store.finished() if (known := _read(store.stage_folder(key)))}
        begun = {key: known for key in store.under_way() if (known := _read(store.work_folder(key)))}
        self.stages = {**begun, **self.finished, **self.planned}

    @cached_property
    def later(self) -> Mapping[str, tuple[str, ...]]:
        """The stages that build on each directly."""
        found: dict[str, list[str]] = {}
        for key, stage in self.stages.items():
            for need in dict.fromkeys(stage.inputs.values()):
                found.setdefault(need, []).append(key)
        return {key: tuple(after) for key, after in found.items()}

    def state(self, key: str) -> State:
        """Where a stage is, by the store."""
        if self.store.has(key):
            return State.DONE
        if self.store.running(key):
            return State.RUNNING
        return State.FAILED if (self.store.work_folder(key) / "failure.json").exists() else State.WAITING

    def title(self, key: str) -> str:
        """Its title; of a stage that is not known, its key."""
        return self.stages[key].title if key in self.stages else key

    def all_later(self, key: str) -> list[str]:
        """Everything that builds on a stage, directly or not."""
        found: dict[str, None] = {}
        waiting = [key]
        while waiting:
            for after in self.later.get(waiting.pop(), ()):
                if after not in found:
                    found[after] = None
                    waiting.append(after)
        return list(found)

    def chains(self, key: str) -> Iterator[tuple[str, Any]]:
        """The chains that a stage serves, each with the name of its study."""
        for name, plan in self.plans.items():
            if key in plan.stages:
                ends = {key, *self.all_later(key)}
                for chain in plan.chains:
                    if {chain.model, chain.predictions, chain.score} & ends:
                        yield name, chain.chain


def _planned(plan: Plan, key: str) -> Known:
    stage = plan.stages[key]
    return Known(key, stage.title, stage.function, VERSIONS[stage.function], stage.identity, stage.inputs)


def _read(folder: Path) -> Known | None:
    """The stage in a folder, also one of another version, which would have another key now."""
    try:
        data = json.loads((folder / "stage.json").read_bytes())
        return Known(folder.name, *(data[name] for name in Known._fields[1:]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def graph_of(store: Store, study: str | None) -> tuple[Graph, list[str]]:
    """The stages of a study, or of all that the store keeps, and the studies that cannot be planned, with why."""
    plans, without = {}, []
    for name in (study,) if study is not None else kept_studies(store):
        try:
            planned = plan_of(name, store)
            plans[planned.study.name] = planned
        except IsthmusError as error:
            if study is not None:
                raise
            without.append(f"{name} cannot be planned: {error}")
    return Graph(store, plans), without


class Explanation(NamedTuple):
    """All that there is to say of a stage."""

    stage: Known
    state: State
    why: tuple[str, ...]
    nearest: Nearest | None


def explain(graph: Graph, words: Sequence[str]) -> tuple[Known, Explanation]:
    """The stage that is meant, and why it is where it is. Raises SpecError when it is not clear which one is."""
    key = find(words, {key: stage.title for key, stage in graph.stages.items()}, graph.planned)
    stage, state = graph.stages[key], graph.state(key)
    near = _nearest(graph, stage) if state is not State.DONE else None
    return stage, Explanation(stage, state, tuple(_why(graph, stage, state)), near)


def _why(graph: Graph, stage: Known, state: State) -> Iterator[str]:
    store, work = graph.store, graph.store.work_folder(stage.key)
    if state is State.DONE:
        yield from _done(graph, stage)
    elif state is State.RUNNING:
        yield f"It is not finished: it is running ({running_of(store, stage.key)})."
    elif state is State.FAILED:
        yield f"It is not finished: it failed ({reason_of(store, stage.key)})."
    elif store.progress(stage.key):
        yield f"It is not finished: it was interrupted ({running_of(store, stage.key)}); it will go on from there."
    else:
        yield "It is not finished: there is no record of it in the store."
    if attempts := attempts_of(work):
        yield f"Attempts that came to nothing: {'; '.join(f'{each.ended}, {each.reason}' for each in attempts)}."
    waits = [need for need in dict.fromkeys(stage.inputs.values()) if graph.state(need) is not State.DONE]
    if state is not State.DONE and waits:
        told = "; ".join(f"{graph.title(need)} ({graph.state(need)})" for need in waits)
        yield f"It waits for: {told}."
    elif state in (State.FAILED, State.WAITING):
        yield "All that it builds on is finished: the next run of its study begins it."


def _done(graph: Graph, stage: Known) -> Iterator[str]:
    record, damage = graph.store.record(stage.key), graph.store.damage(stage.key)
    if damage:
        yield f"It is not up to date: {'; '.join(map(str, damage))}. The next run sets it aside and makes it anew."
    elif record is not None:
        files = f"{len(record.files)} file{'s' if len(record.files) != 1 else ''}"
        yield f"It was begun {record.started} and took {record.seconds:,.0f} s; its {files} are as they were written."
    now = VERSIONS.get(stage.function)
    if stage.version != now:
        yield (
            f"It is out of date: it was made by version {stage.version} of {stage.function}, which now has version "
            f"{now}. A study that needs it makes another one."
        )
    if stage.key in graph.planned:
        yield "It is up to date: its study needs a stage of just this key." if not damage else "Its study needs it."
    elif stage.version == now:
        yield "No study that was asked about needs it."


def _nearest(graph: Graph, stage: Known) -> Nearest | None:
    """The finished stage of the same function with the same title or the same inputs that differs in least."""
    alike = [
        other
        for other in graph.finished.values()
        if other.function == stage.function and (other.title == stage.title or other.inputs == stage.inputs)
    ]
    if not alike:
        return None
    found = min(alike, key=lambda other: (len(differences(stage, other)), other.title != stage.title))
    return Nearest(found.key, found.title, differences(stage, found))


def differences(here: Known, there: Known) -> tuple[Difference, ...]:
    """The fields that two stages of one function differ in: of their versions, identities and inputs."""
    ours, theirs = (
        {
            "version": each.version,
            **facts(each.identity),
            **{f"built on ({role})": key for role, key in each.inputs.items()},
        }
        for each in (here, there)
    )
    return tuple(
        Difference(name, told(ours.get(name)), told(theirs.get(name)))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) != theirs.get(name)
    )


def facts(identity: Mapping[str, Json], before: str = "") -> dict[str, Json]:
    """An identity as dotted fields and what they hold."""
    found: dict[str, Json] = {}
    for name, value in identity.items():
        if isinstance(value, Mapping):
            found |= facts(value, f"{before}{name}.")
        elif isinstance(value, list | tuple) and value and all(isinstance(each, Mapping) for each in value):
            for place, each in enumerate(value):
                found |= facts(each, f"{before}{name}.{each.get('name', place)}.")
        else:
            found[before + name] = value
    return found


def told(value: Json) -> str:
    """A value of an identity as one would say it; a hash by its beginning."""
    if value is None:
        return "not given"
    if isinstance(value, list | tuple):
        return ", ".join(map(told, value)) or "none"
    text = str(value)
    return (
        f"{text[:12]}..." if len(text) >= _FINGERPRINT and all(digit in "0123456789abcdef" for digit in text) else text
    )
