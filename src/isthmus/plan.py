"""From a study to the graph of stages that answers it. Pure: given the same facts it always gives the same plan.

Chains that share a beginning share its stages, because a stage's key is made of what it does and what it builds on: the
baseline and every intermediate are trained once, whatever the number of targets that follow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from isthmus.data.catalog import SplitFacts
from isthmus.errors import SpecError
from isthmus.results import Chain
from isthmus.spec import THEN, Recipe, Study, steps_of
from isthmus.stage import Json, Stage
from isthmus.tasks.core import Split, Task

Role = Literal["intermediate", "target"]
#: What a plan ends in: scores of trained chains, trained models alone, or scores of the models as they are.
Goal = Literal["scores", "models", "evaluation"]


@dataclass(frozen=True)
class ModelSource:
    """A model as it was found: what names its weights, and where to get them (which names nothing)."""

    name: str
    identity: Mapping[str, Json]
    hints: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What planning asks of the world."""

    task: Callable[[str], Task]
    model: Callable[[str], ModelSource]
    split: Callable[[Task, Split, str], SplitFacts]
    languages: Callable[[tuple[str, ...], Task], tuple[str, ...]]


@dataclass(frozen=True)
class PlannedChain:
    """A chain and the keys of its last model and of its scores (None in a plan that ends in models)."""

    chain: Chain
    model: str
    score: str | None


@dataclass(frozen=True)
class Plan:
    """The stages of a study, each after those it builds on, and the chains they serve."""

    study: Study
    stages: Mapping[str, Stage]
    chains: tuple[PlannedChain, ...]
    #: the tasks that the study names
    tasks: Mapping[str, Task]
    #: rows that each stage reads, and the characters in them: what estimates are made from
    reads: Mapping[str, tuple[SplitFacts, ...]]

    def needs(self, key: str) -> tuple[str, ...]:
        """The keys of the stages that the stage builds on directly."""
        return tuple(self.stages[key].inputs.values())


def plan(study: Study, facts: Facts, goal: Goal = "scores") -> Plan:
    """The plan of ``study``.

    Raises:
        SpecError: an axis names a task, a model or a language that there is not, or a task that cannot play its role.
        DataError: a split that the study needs is not there.
    """
    return _Planner(study, facts, goal).plan()


class _Planner:
    def __init__(self, study: Study, facts: Facts, goal: Goal) -> None:
        self.study = study
        self.goal = goal
        self.facts = facts
        self.stages: dict[str, Stage] = {}
        self.reads: dict[str, tuple[SplitFacts, ...]] = {}
        self.tasks: dict[str, Task] = {}
        self._known: dict[tuple[object, ...], str] = {}

    def plan(self) -> Plan:
        chains = []
        targets = [self._task(name) for name in self.study.targets]
        for model in self.study.models:
            base = self._model(model)
            for intermediate in self.study.intermediates:
                for seed in self.study.seeds:
                    start, story = base, model
                    for name in steps_of(intermediate):
                        start = self._train(start, self._trainable(name), "intermediate", seed, story)
                        story = f"{story} {THEN} {name}"
                    for target in targets:
                        chain = Chain(model, intermediate, target.name, seed)
                        chains.append(self._target(chain, target, start, story))
        return Plan(self.study, self.stages, tuple(chains), self.tasks, self.reads)

    def _task(self, name: str) -> Task:
        if name not in self.tasks:
            self.tasks[name] = self.facts.task(name)
        return self.tasks[name]

    def _target(self, chain: Chain, target: Task, start: str, story: str) -> PlannedChain:
        """The stages from the model ``start`` to the scores of the chain's target."""
        trained = start
        if self.goal == "models":
            return PlannedChain(
                chain, self._train(start, self._trainable(target.name), "target", chain.seed, story), None
            )
        if target.train_language is not None and self.goal == "scores":
            trained = self._train(start, target, "target", chain.seed, story)
            story = f"{story} {THEN} {target.name}"
        predict = self._predict(trained, target, story)
        score = self._add(
            Stage("score", {"metric": target.metric}, {"predictions": predict}, f"score {story} on {target.name}")
        )
        return PlannedChain(chain, trained, score)

    def _trainable(self, name: str) -> Task:
        task = self._task(name)
        if task.train_language is None:
            raise SpecError(f"{name} has no training data (it is only ever measured): it cannot be trained on.")
        return task

    def _model(self, name: str) -> str:
        source = self.facts.model(name)
        return self._add(Stage("model", source.identity, title=f"get {name}", hints=source.hints))

    def _train(self, start: str, task: Task, role: Role, seed: int, story: str) -> str:
        recipe = self._recipe(task.name, role)
        memo = ("train", start, task.name, recipe, seed)
        if memo not in self._known:
            assert task.train_language is not None
            rows = self.facts.split(task, "train", task.train_language)
            identity: dict[str, Json] = {"kind": str(task.kind), "train": rows.fingerprint, "seed": seed}
            identity["recipe"] = recipe.model_dump(exclude_defaults=True)
            if task.labels:
                identity["labels"] = list(task.labels)
            hints = {"task": task.name, "language": task.train_language, "licence": task.licence, "story": story}
            stage = Stage("train", identity, {"model": start}, f"train {story} {THEN} {task.name}, seed {seed}", hints)
            self._known[memo] = self._add(stage, rows)
        return self._known[memo]

    def _predict(self, model: str, task: Task, story: str) -> str:
        memo = ("predict", model, task.name)
        if memo not in self._known:
            languages = self._languages(task)
            rows = {language: self.facts.split(task, "test", language) for language in languages}
            identity: dict[str, Json] = {
                "kind": str(task.kind),
                "test": {language: fact.fingerprint for language, fact in rows.items()},
            }
            recipe = self._recipe(task.name, "target")
            identity |= recipe.model_dump(include={"max_length", "precision"}, exclude_defaults=True)
            if self.study.test_examples is not None:
                identity["limit"] = self.study.test_examples
            count = f"{len(languages)} language{'s' if len(languages) > 1 else ''}"
            title = f"predict {story} on {task.name}, {count}"
            stage = Stage("predict", identity, {"model": model}, title, {"task": task.name})
            self._known[memo] = self._add(stage, *rows.values())
        return self._known[memo]

    def _recipe(self, task: str, role: Role) -> Recipe:
        return self.study.recipe_for(task, role)

    def _languages(self, task: Task) -> tuple[str, ...]:
        languages = self.facts.languages(self.study.languages, task)
        if not languages:
            raise SpecError(
                f"Task {task.name} has none of the languages asked for ({', '.join(self.study.languages)})."
            )
        return languages

    def _add(self, stage: Stage, *reads: SplitFacts) -> str:
        key = stage.key
        if key not in self.stages:
            self.stages[key] = stage
            self.reads[key] = reads
        return key
