"""From a study to the graph of stages that answers it. Pure: given the same facts it always gives the same plan.

Chains that share a beginning share its stages, because a stage's key is made of what it does and what it builds on: the
baseline and every intermediate are trained once, whatever the number of targets that follow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from isthmus.data.catalog import SplitFacts
from isthmus.data.schema import BY_VECTORS, SEARCHING, Kind
from isthmus.errors import SpecError, nearest
from isthmus.planning.effective import without_effect
from isthmus.planning.training import TrainingPlanner
from isthmus.results import Chain
from isthmus.stage import Json, Stage
from isthmus.study.recipes import Place
from isthmus.study.spec import THEN, Mixture, Study, retrieval_for, steps_of
from isthmus.tasks.core import Split, Task

#: What a plan ends in: scores of trained chains, trained models alone, scores of the models as they are, or the
#: predictions of either, which need no labels.
Goal = Literal["scores", "models", "evaluation", "predictions", "trained predictions"]
_TRAINS = frozenset({"scores", "models", "trained predictions"})
#: The goals that need no labels of the rows that are measured.
UNLABELLED = frozenset({"predictions", "trained predictions"})


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
    #: the tasks of a suite and the languages it measures each in; None for a name that is no suite's
    suite: Callable[[str], Mapping[str, tuple[str, ...]] | None] = lambda _: None
    #: the mixture of that name; None for what is no mixture
    mixture: Callable[[str], Mixture | None] = lambda _: None
    #: has the task, where it is looked for, such a split in a language?
    offers: Callable[[Task, Split, str], bool] = lambda *_: False
    #: those of some languages that selectors choose
    among: Callable[[tuple[str, ...], tuple[str, ...]], tuple[str, ...]] = lambda _, languages: languages

    def has_dev(self, task: Task, language: str) -> bool:
        """Has the task dev rows in a language?"""
        return self.offers(task, "dev", language)


@dataclass(frozen=True)
class PlannedChain:
    """A chain and the keys of its last model, its predictions and its scores (None where the plan ends before)."""

    chain: Chain
    model: str
    predictions: str | None
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
    #: what the world was asked, and what it said (`isthmus.planning.kept`)
    answers: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

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
    """Plans the chains of each recipe in turn; what they share is one stage, since its key is one."""

    def __init__(self, study: Study, facts: Facts, goal: Goal) -> None:
        self.goal = goal
        self.facts = facts
        self.stages: dict[str, Stage] = {}
        self.reads: dict[str, tuple[SplitFacts, ...]] = {}
        self.tasks: dict[str, Task] = {}
        self.study = study

    def plan(self) -> Plan:
        targets = self._all_targets()
        self.study = _by_task(self.study, [task.name for task in targets], self.facts)
        chains = [chain for recipe in self.study.recipes or ("",) for chain in self._chains(recipe, targets)]
        return Plan(self.study, self.stages, tuple(dict.fromkeys(chains)), self.tasks, self.reads)

    def _chains(self, recipe: str, targets: Sequence[Task]) -> list[PlannedChain]:
        """The chains of one recipe. What they have in common with those of recipes before goes by the name of these."""
        self.recipe = recipe
        chains = []
        self._known: dict[tuple[object, ...], str] = {}
        self._measurements: dict[tuple[object, ...], tuple[Mapping[str, Json], tuple[SplitFacts, ...]]] = {}
        self._training = TrainingPlanner(
            self.study, self.facts, self._task, self._model, self.stages, self._add, recipe
        )
        seeds = sorted({seed for task in targets for seed in self.study.seeds_of(task.name)}, key=self._place)
        for model in self.study.models:
            base = self._model(model)
            for intermediate in self.study.arms:
                for seed in seeds:
                    start, story = base, model
                    for name in steps_of(intermediate):
                        start = self._training.train(start, name, "intermediate", seed, story)
                        story = f"{story} {THEN} {name}"
                    for target in targets:
                        if seed in self.study.seeds_of(target.name):
                            chain = Chain(model, intermediate, target.name, seed, recipe)
                            chains.append(self._target(chain, target, start, story))
        return chains

    def _place(self, seed: int) -> tuple[int, int]:
        """In the order of the study; those of single targets after them."""
        seeds = self.study.seeds
        return (seeds.index(seed) if seed in seeds else len(seeds), seed)

    def _task(self, name: str) -> Task:
        if name not in self.tasks:
            self.tasks[name] = self.facts.task(name)
        return self.tasks[name]

    def _all_targets(self) -> list[Task]:
        """The targets of the study; one that is named several times, by suites too, is one, in the languages of all."""
        found: dict[str, Task] = {}
        for task in (task for name in self.study.targets for task in self._targets(name)):
            before = found.get(task.name, task)
            found[task.name] = replace(task, languages=tuple(dict.fromkeys((*before.languages, *task.languages))))
        return list(found.values())

    def _targets(self, name: str) -> list[Task]:
        """The task of that name, or those of the suite, in the suite's languages."""
        suite = self.facts.suite(name)
        if suite is None:
            return [self._task(name)]
        found = []
        for member, languages in suite.items():
            task = self._task(member)
            there = tuple(language for language in languages if language in task.languages)
            if there and (chosen := self.facts.languages(self.study.languages, replace(task, languages=there))):
                found.append(replace(task, languages=chosen))
        if not found:
            raise SpecError(f"No task of {name} has any of the languages {', '.join(self.study.languages)}.")
        return found

    def _target(self, chain: Chain, target: Task, start: str, story: str) -> PlannedChain:
        """The stages from the model ``start`` to the scores of the chain's target."""
        trained = start
        if self.goal in _TRAINS:
            training = self.study.train_on.get(target.name, target.training)
            if not training and self.goal == "models":
                self._training.trainable(target.name)
            for name in training:
                trained = self._training.train(trained, name, "target", chain.seed, story)
                story = f"{story} {THEN} {name}"
        if self.goal == "models":
            return PlannedChain(chain, trained, None, None)
        predict = self._predict(trained, target, story)
        if self.goal in UNLABELLED:
            return PlannedChain(chain, trained, predict, None)
        identity: dict[str, Json] = {"metric": target.metric}
        if target.also:
            identity["also"] = list(target.also)
        score = self._add(Stage("score", identity, {"predictions": predict}, f"score {story} on {target.name}"))
        return PlannedChain(chain, trained, predict, score)

    def _model(self, name: str) -> str:
        source = self.facts.model(name)
        return self._add(Stage("model", source.identity, title=f"get {name}", hints=source.hints))

    def _predict(self, model: str, task: Task, story: str) -> str:
        memo = ("predict", model, task.name, task.languages)
        if memo not in self._known:
            same, reads = self._measured(task)
            head = self._head(model, task)
            identity = {**same, "head": head} if head else same
            count = f"{len(identity['test'])} language{'s' if len(identity['test']) > 1 else ''}"
            title = f"predict {story} on {task.name}, {count}"
            self._known[memo] = self._add(
                Stage("predict", identity, {"model": model}, title, {"task": task.name}), *reads
            )
        return self._known[memo]

    def _measured(self, task: Task) -> tuple[Mapping[str, Json], tuple[SplitFacts, ...]]:
        """What names a measurement of the task, whatever the model, and the rows that it reads."""
        memo = (task.name, task.languages)
        if memo in self._measurements:
            return self._measurements[memo]
        languages = self._languages(task)
        rows = {language: self.facts.split(task, "test", language) for language in languages}
        identity: dict[str, Json] = {
            "kind": str(task.kind),
            "test": {language: fact.fingerprint for language, fact in rows.items()},
        }
        recipe = self._training.recipe_for(Place(task.name, "target", str(task.kind)), task.recipe)
        asked = {"max_length", "precision", "stride", "no_answer"} - without_effect([task.kind])
        identity |= recipe.model_dump(include=asked, exclude_defaults=True)
        searched = self._searched(task, languages)
        for split, facts in searched.items():
            identity[split] = {language: fact.fingerprint for language, fact in facts.items()}
        if task.kind in BY_VECTORS:
            options = retrieval_for(self.study.retrieval, task.retrieval)
            options.of(task.kind)  # raises where they are not for this kind
            if options.dev_language is not None and options.dev_language not in languages:
                raise SpecError(
                    f"retrieval.dev_language: {options.dev_language} is not among the languages that {task.name} "
                    f"is measured in ({', '.join(languages[:12])}): add it to them, or choose on another."
                )
            if said := options.model_dump(exclude_defaults=True):
                identity["retrieval"] = said
        if (limit := self.study.test_limit(task.name)) is not None:
            identity["limit"] = limit
        reads = (*rows.values(), *(fact for facts in searched.values() for fact in facts.values()))
        self._measurements[memo] = identity, reads
        return identity, reads

    def _head(self, key: str, task: Task) -> str:
        """The name of the head that measures a task, where the model was trained on several at once; else empty.

        Raises:
            SpecError: none of its heads fits.
        """
        stage = self.stages[key]
        if stage.function == "model":
            return task.name if task.name in stage.hints.get("heads", ()) else ""
        members = [member for member in stage.identity.get("members", ()) if member["kind"] != Kind.TEXT]
        if not members or task.kind in BY_VECTORS:
            return ""
        for member in members:
            translation = self.study.translations.get(member["name"])
            if task.name in (member["name"], translation and translation.task):
                return str(member["name"])
        alike = [
            each["name"] for each in members if [each["kind"], *each.get("labels", ())] == [task.kind, *task.labels]
        ]
        if not alike:
            names = ", ".join(str(member["name"]) for member in members)
            raise SpecError(
                f"{task.name} cannot be measured on what was trained on {names}: none has its kind and its labels. "
                "Train on it, too (train_on)."
            )
        return str(alike[0])

    def _searched(self, task: Task, languages: tuple[str, ...]) -> dict[Split, dict[str, SplitFacts]]:
        """What the rows of a task are looked for among, and the dev rows that a threshold is chosen on."""
        if task.kind not in SEARCHING:
            return {}
        splits: tuple[Split, ...] = ("candidates",) if task.pool else ("candidates", "dev", "dev_candidates")
        return {
            split: {language: self.facts.split(task, split, language) for language in task.pool or languages}
            for split in splits
        }

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
            named = self.recipe and stage.function in ("train", "predict", "score")
            self.stages[key] = replace(stage, title=f"{stage.title} ({self.recipe})") if named else stage
            self.reads[key] = reads
        return key


def _by_task(study: Study, targets: Sequence[str], facts: Facts) -> Study:
    """The study with what it says of a suite said of each of its tasks; what it says of a task itself counts.

    Raises:
        SpecError: it says something of what is no target.
    """
    changes: dict[str, Any] = {}
    for said in ("target_seeds", "test_examples"):
        given = getattr(study, said)
        if not isinstance(given, Mapping):
            continue
        suites: dict[str, Any] = {}
        tasks: dict[str, Any] = {}
        for name, value in given.items():
            members = [member for member in facts.suite(name) or () if member in targets]
            if name not in targets and not members:
                raise SpecError(f"{said}.{name}: the study does not measure such a task: {nearest(name, targets)}")
            suites |= dict.fromkeys(members, value)
            tasks |= {name: value} if name in targets else {}
        changes[said] = {**suites, **tasks}
    return study.model_copy(update=changes)
