"""The `train` and `translate` stages of a plan: single tasks, mixtures, masked language modelling, translations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isthmus.data.catalog import SplitFacts
from isthmus.data.schema import PROJECTED, SEARCHING, TRANSLATED, Kind
from isthmus.errors import DataError, SpecError
from isthmus.planning.effective import effective, without_effect
from isthmus.stage import Json, Stage
from isthmus.study.recipes import MIXTURE, Place, Role, recipe_for
from isthmus.study.spec import AND, OF_ROWS, THEN, MaskedText, Mixture, Recipe, Study, Translation, sized
from isthmus.tasks.core import Split, Task

if TYPE_CHECKING:
    from isthmus.planning.plan import Facts

#: Recipe fields that the members of a mixture may have each in their own way; the rest is that of the mixture.
OF_MEMBERS = frozenset({"batch_size", "max_length", "stride", "no_answer", "train_examples", "whole_words", "head"})
#: How files end of which two make a task.
_HALVES = (".txt", ".lst")
#: In the list of a stage's rows: what begins the role of an input that they come from.
INPUT = "@"


@dataclass
class _Draft:
    """A train stage in the making."""

    inputs: dict[str, str]
    reads: list[SplitFacts] = field(default_factory=list)
    told: list[dict[str, Json]] = field(default_factory=list)


class TrainingPlanner:
    """Adds to a plan the stages that train a model on one name: a task, a mixture or a translation."""

    def __init__(
        self,
        study: Study,
        facts: "Facts",
        task: Callable[[str], Task],
        model: Callable[[str], str],
        stages: Mapping[str, Stage],
        add: Callable[..., str],
        variant: str = "",
    ) -> None:
        self.study = study
        self.variant = variant
        self.facts = facts
        self._task = task
        self._model = model
        self._stages = stages
        self._add = add
        self._known: dict[tuple[object, ...], str] = {}
        self._recipes: dict[Place, Recipe] = {}

    def train(self, start: str, name: str, role: Role, seed: int, story: str) -> str:
        """The key of the stage that trains the model of stage ``start`` on ``name``; ``story``: how that came about."""
        shown, (name, size) = name, sized(name)
        mixture = self.facts.mixture(name)
        recipe = self._recipe(name, role, mixture)
        if size is not None and mixture is None:
            recipe = self._of_size(name, size, recipe)
        memo = (start, shown, role, recipe, seed)
        if memo not in self._known:
            draft = _Draft({"model": start})
            if mixture is None:
                identity = self._member(name, role, recipe, draft)
                keeps = self._kept(name, identity, recipe, start)
            else:
                identity, keeps = self._mixture(name, mixture, role, recipe, draft, size)
            kinds = [member["kind"] for member in identity.get("members", (identity,))]
            used = effective(recipe, kinds, mixture is not None)
            identity |= {"seed": seed, "recipe": used.model_dump(exclude_defaults=True)}
            told = draft.told[0] if mixture is None else _together(draft.told)
            hints = {**told, "task": name, "story": story, "members": draft.told}
            title = f"train {story} {THEN} {shown}{keeps}, seed {seed}"
            self._known[memo] = self._add(Stage("train", identity, draft.inputs, title, hints), *draft.reads)
        return self._known[memo]

    def _of_size(self, name: str, size: int, recipe: Recipe) -> Recipe:
        """The recipe with that many training rows; where there are no more, it is that of all rows."""
        most = self._most_rows(name)
        if most <= size and (recipe.train_examples is None or most <= recipe.train_examples):
            return recipe
        return recipe.model_copy(update={"train_examples": size if most > size else None})

    def _most_rows(self, name: str) -> int:
        """Rows of the largest of the tables that are trained on: a task has one, a translation one a language."""
        translation = self.study.translations.get(name)
        task = self.trainable(translation.task if translation else name)
        assert task.train_language is not None
        own = [self._task(f"{name}/{language}") for language in (translation.files if translation else ())]
        tables = [(task, task.train_language), *((each, each.train_language or "en") for each in own)]
        return max(self.facts.split(each, "train", language).rows for each, language in tables)

    def trainable(self, name: str) -> Task:
        """The task of that name. Raises SpecError when nothing can be trained on it."""
        task = self._task(name)
        if task.train_language is None:
            raise SpecError(f"{name} has no training data (it is only ever measured): it cannot be trained on.")
        return task

    def _recipe(self, name: str, role: Role, mixture: Mixture | None, member_of: str = "") -> Recipe:
        if mixture:
            return self.recipe_for(Place(name, role, MIXTURE))
        translation = self.study.translations.get(name)
        task = self.trainable(translation.task if translation else name)
        return self.recipe_for(Place(name, role, str(task.kind), member_of, task.name), task.recipe)

    def recipe_for(self, place: Place, usual: Mapping[str, Json] | None = None) -> Recipe:
        """The recipe of the study for that place, in the variant that is planned. A name has one ``usual``."""
        if place not in self._recipes:
            self._recipes[place] = recipe_for(self.study, place, usual, self.variant)
        return self._recipes[place]

    def _mixture(
        self, name: str, mixture: Mixture, role: Role, recipe: Recipe, draft: _Draft, size: int | None
    ) -> tuple[dict[str, Json], str]:
        """What names a training on several tasks together, and what its title says of their heads."""
        members, heads = [], set()
        for member in mixture.tasks:
            if sized(member) != (member, None):
                alone, whole = sized(member)[0], AND.join(sized(each)[0] for each in mixture.tasks)
                raise SpecError(
                    f"{name}: a size is of the whole mixture, as in {whole}{OF_ROWS}1000; for {alone} alone set "
                    f"overrides.{alone}.train_examples."
                )
            own = self._recipe(member, role, None, name)
            if size is not None:
                own = self._of_size(member, size, own)
            found = self._member(member, role, own.model_copy(update=_evaluation(recipe)), draft, f".{member}")
            heads.add((found["kind"], tuple(found.get("labels", ()))))
            members.append({"name": member, **found, **_differing(own, recipe, str(found["kind"]))})
            if own.head == "keep":
                raise SpecError(f"head: keep is for single tasks: the mixture {name} begins with fresh heads.")
        if mixture.heads == "shared" and len(heads) > 1:
            raise SpecError(
                f"mixtures.{name}.heads: {', '.join(mixture.tasks)} cannot share a head: they must have the same kind "
                "and the same labels in the same order."
            )
        if mixture.mlm:
            members.extend(self._masked(name, mixture.mlm, role, recipe, draft))
        told = mixture.model_dump(exclude_defaults=True, exclude={"tasks", "mlm"})
        if mixture.mlm:
            told["mlm"] = mixture.mlm.model_dump(include={"share", "temperature"})
        return {"members": members, "mixture": told}, ""

    def _member(self, name: str, role: Role, recipe: Recipe, draft: _Draft, suffix: str = "") -> dict[str, Json]:
        """What names the rows, the labels and the dev rows of one task."""
        translation = self.study.translations.get(name)
        task = self.trainable(translation.task if translation else name)
        language = task.train_language
        assert language is not None
        languages, sources = [], []
        if translation is None or translation.keep_source:
            rows = self.facts.split(task, "train", language)
            draft.reads.append(rows)
            languages, sources = [language], [rows.fingerprint]
        if translation:
            for other, source in self._translated(name, translation, task, draft, suffix):
                languages.append(other)
                sources.append(source)
        identity: dict[str, Json] = {"kind": str(task.kind), "train": sources[0] if len(sources) == 1 else sources}
        if task.labels:
            identity["labels"] = list(task.labels)
        tuned_on: list[Json] = []
        if recipe.evaluate_every is not None:
            identity |= self._dev(task, recipe, languages[0], name)
            tuned_on = [tag for tag in recipe.dev_languages if tag != language]
        told = {"task": name, "language": ", ".join(languages), "licence": task.licence, "kind": str(task.kind)}
        draft.told.append({**told, "tuned_on": tuned_on})
        return identity

    def _dev(self, task: Task, recipe: Recipe, trained: str, name: str) -> dict[str, Json]:
        """What names the rows that a training is measured on: those of the dev split, or some of its training rows.

        Where test labels are withheld and the dev split is measured instead, it is no dev split any more. Rows are held
        out in the language that is ``trained`` on: those whose groups are drawn from the rows of the task itself, so
        that a task and its translations hold out the same.
        """
        language = task.train_language
        assert language is not None
        if task.kind in SEARCHING or task.kind is Kind.TEXT:
            raise SpecError(f"evaluate_every is not for {task.kind} tasks such as {name}: leave it out.")
        found: dict[str, Json] = {}
        for tag in recipe.dev_languages or (language,):
            if self.facts.has_dev(task, tag) and not self._measured(task, tag):
                found[tag] = self.facts.split(task, "dev", tag).fingerprint
            elif tag == language:
                rows = self.facts.split(task, "train", language)
                found[trained] = {"held_out": recipe.dev_examples, "of": rows.fingerprint}
            else:
                raise SpecError(
                    f"dev_languages: {name} has no dev rows in {tag} that are not measured: leave {tag} out."
                )
        return {"dev": found, "metric": task.metric}

    def _measured(self, task: Task, language: str) -> bool:
        """Are the dev rows those that are measured?"""
        try:
            test, dev = (self.facts.split(task, split, language) for split in ("test", "dev"))
            return test.fingerprint == dev.fingerprint
        except DataError:
            return False

    def _kept(self, name: str, identity: Mapping[str, Json], recipe: Recipe, start: str) -> str:
        """What the title says of the head. Raises SpecError when the head of the stage before cannot be kept."""
        before = self._stages[start]
        if recipe.head == "fresh":
            return ""
        if before.function == "model" and before.hints.get("embedded"):
            raise SpecError(f"head: keep: there is no stage before {name} whose head it could go on with.")
        own = [identity["kind"], identity.get("labels")]
        if before.function == "train" and [before.identity.get("kind"), before.identity.get("labels")] != own:
            raise SpecError(
                f"head: keep: {name} cannot go on with the head of the stage before ({before.title}), which has "
                "another kind or other labels: a fresh one is needed (head: fresh)."
            )
        return " (keeps its head)"

    def _translated(
        self, name: str, translation: Translation, task: Task, draft: _Draft, suffix: str
    ) -> list[tuple[str, str]]:
        """Language and source of the rows in each language that there are translations in, or will be."""
        if task.kind not in TRANSLATED:
            raise SpecError(f"translations.{name}: {task.kind} tasks such as {task.name} cannot be translated.")
        found = []
        for language in translation.into:
            assert translation.translator is not None and task.train_language is not None
            rows = self.facts.split(task, "train", task.train_language)
            if language == task.train_language:
                raise SpecError(f"translations.{name}.into: {task.name} is in {language} already.")
            inputs = {"translator": self._model(translation.translator)}
            if task.kind in PROJECTED:
                inputs["encoder"] = self._model(translation.encoder)
            identity: dict[str, Json] = {
                "kind": str(task.kind),
                "rows": rows.fingerprint,
                "source": task.train_language,
                "language": language,
            }
            identity |= translation.model_dump(
                include={"beams", "max_length", "projection", "min_quality"}, exclude_defaults=True
            )
            title = f"translate {task.name} into {language}"
            hints = {"task": task.name, "licence": task.licence}
            draft.inputs[f"rows{suffix}.{language}"] = self._add(
                Stage("translate", identity, inputs, title, hints), rows
            )
            found.append((language, f"{INPUT}rows{suffix}.{language}"))
            draft.reads.append(rows)  # about as much text
        for language in translation.files:
            own = self._task(f"{name}/{language}")
            assert own.train_language is not None
            there = self.facts.split(own, "train", own.train_language)
            draft.reads.append(there)
            found.append((own.train_language, there.fingerprint))
        return found

    def _masked(self, name: str, mlm: MaskedText, role: Role, recipe: Recipe, draft: _Draft) -> list[dict[str, Json]]:
        """A member for each language of the texts."""
        sources: dict[str, list[tuple[Task, Split, str]]] = {}
        for language in mlm.text:
            task = self._task(f"{name}/mlm/{language}")
            assert task.train_language is not None
            sources.setdefault(task.train_language, []).append((task, "train", str(mlm.text[language])))
        for task in map(self._task, mlm.tasks):
            languages = self._with_text(task, mlm)
            if not languages:
                raise SpecError(f"mixtures.{name}.mlm: {task.name} has no {mlm.split} split: name another with split.")
            for language in languages:
                sources.setdefault(language, []).append((task, mlm.split, f"the text of {task.name}"))
        chosen = self.facts.among(mlm.languages, tuple(sources))
        if not chosen:
            raise SpecError(f"mixtures.{name}.mlm.languages: there is no text in {', '.join(mlm.languages)}.")
        own = self.recipe_for(Place("mlm", role, str(Kind.TEXT), name))
        members = []
        for language in chosen:
            rows = [self.facts.split(task, split, language) for task, split, _ in sources[language]]
            draft.reads.extend(rows)
            members.append(
                {
                    "name": f"mlm/{language}",
                    "kind": str(Kind.TEXT),
                    "train": [each.fingerprint for each in rows],
                    "text_of": [str(task.kind) for task, _, _ in sources[language]],
                    **_differing(own, recipe, Kind.TEXT),
                }
            )
        told: dict[str, tuple[str, list[str]]] = {}
        for language in chosen:
            for task, _, shown in sources[language]:
                told.setdefault(shown, (task.licence, []))[1].append(language)
        for shown, (licence, languages_of) in told.items():
            told_of = {"task": shown, "language": ", ".join(languages_of), "licence": licence, "kind": str(Kind.TEXT)}
            draft.told.append(told_of)
        return members

    def _with_text(self, task: Task, mlm: MaskedText) -> tuple[str, ...]:
        """The languages in which a task has the split whose texts are wanted."""
        split: Split = mlm.split
        languages = dict.fromkeys((*((task.train_language,) if task.train_language else ()), *task.languages))
        return tuple(language for language in languages if self.facts.offers(task, split, language))


def mixture_of(name: str, known: Mapping[str, Mixture]) -> Mixture | None:
    """The mixture of that name, or of the tasks in it that have + between them; None where it is a single task.

    Two files of plain text, or of rows and their labels, are one task (`isthmus.study.spec.File`).
    """
    if name in known or AND not in name:
        return known.get(name)
    tasks = tuple(part.strip() for part in name.split(AND))
    if len(tasks) == 2 and tasks[0].endswith(_HALVES) and tasks[1].endswith(_HALVES):
        return None
    if not all(tasks):
        raise SpecError(f"{name!r} is not a mixture: write the names of tasks with a + between them.")
    if len(set(tasks)) < len(tasks):
        raise SpecError(f"{name!r} names a task twice: sampling says how often each of them comes.")
    return Mixture(tasks=tasks)


def _evaluation(recipe: Recipe) -> dict[str, object]:
    """When to measure on dev rows is for the whole mixture to say; on which, too."""
    return {name: getattr(recipe, name) for name in ("evaluate_every", "dev_examples", "dev_languages")}


def _differing(own: Recipe, whole: Recipe, kind: str) -> dict[str, Json]:
    """What the recipe of a member has in another way than that of the mixture, of the fields that it may."""
    names = OF_MEMBERS - without_effect([kind], mixed=True)
    fields = {name: getattr(own, name) for name in names if getattr(own, name) != getattr(whole, name)}
    return {"recipe": dict(sorted(fields.items()))} if fields else {}


def _together(told: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """What cards say of the tasks of a mixture together."""
    tuned = dict.fromkeys(tag for each in told for tag in each.get("tuned_on", ()))
    return {
        "language": ", ".join(dict.fromkeys(str(each["language"]) for each in told)),
        "licence": "; ".join(dict.fromkeys(str(each["licence"]) for each in told)),
        "tuned_on": list(tuned),
    }
