"""What a person writes: a study, and the recipes inside it. Strict: an unknown or ill-typed field is an error."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from isthmus.errors import SpecError

#: The intermediate that means "no intermediate stage": the baseline of every gain.
NONE = "none"
#: Between the names of tasks trained one after another.
THEN = ">"
#: Between the names of tasks trained together.
AND = "+"
#: Between the name of what is trained on and how many of its rows are.
OF_ROWS = "@"
#: In place of a number of rows: as many as the recipe says.
ALL = "all"


#: Numbers as they are written: neither ``true`` nor ``"5"`` is one; and neither ``1`` nor ``"true"`` is true.
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
#: Marks a list in which nothing may stand twice: the model that has it refuses that.
DISTINCT = "distinct"


class Strict(BaseModel):
    """Frozen, and closed to fields it does not know and to numbers that are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def one_or_list(value: object) -> object:
    """One text or number stands for the list of it."""
    return [value] if isinstance(value, str | int) else value


class Recipe(Strict):
    """The hyperparameters of one training stage. A field left at its default is not part of a stage's key.

    The defaults are the paper's target stage (arXiv 2005.13013, appendix A, and jiant's published scripts), but for
    ``epochs``, which the paper sets by task.
    """

    preset: Literal["paper", "fast"] | None = Field(
        None, description="start from the paper's hyperparameters for role and task, or from quick ones"
    )
    epochs: Number = Field(3, gt=0, le=1000, description="passes over the training rows")
    steps: Whole | None = Field(None, ge=1, description="optimiser steps, in place of epochs")
    learning_rate: Number = Field(1e-5, gt=0, lt=1, description="peak learning rate of AdamW")
    batch_size: Whole = Field(32, ge=1, description="examples an optimiser step sees, however they are split up")
    max_length: Whole = Field(128, ge=8, description="tokens, special ones included; longer inputs are cut or windowed")
    warmup_ratio: Number = Field(0.1, ge=0, le=1, description="share of the steps that the rate rises over")
    weight_decay: Number = Field(0.01, ge=0, description="AdamW's; biases, norms and word embeddings are exempt")
    decay_embeddings: Flag = Field(False, description="let the word embeddings that are trained on decay, too")
    layer_decay: Number = Field(
        1.0, gt=0, le=1, description="each layer learns at this share of the rate of the one above it"
    )
    max_grad_norm: Number = Field(1.0, gt=0, description="the whole gradient is clipped to this norm")
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="arithmetic of the forward and backward pass; fp16 needs a GPU"
    )
    head: Literal["fresh", "keep"] = Field(
        "fresh", description="`keep`: go on with the head of the stage before, which must have the same kind and labels"
    )
    evaluate_every: Whole | None = Field(None, ge=1, description="steps between two evaluations on dev rows")
    dev_examples: Whole = Field(
        500, ge=1, description="dev rows of each language; held out of train where there is no dev"
    )
    dev_languages: Annotated[tuple[str, ...], BeforeValidator(one_or_list)] = Field(
        (), description="of the dev rows; the training language if not given: others are no longer zero-shot"
    )
    patience: Whole | None = Field(None, ge=1, description="stop after so many evaluations without a better one")
    checkpoint: Literal["last", "best"] = Field("last", description="the model that is kept: the last, or best on dev")
    freeze_embeddings: Flag = Field(False, description="leave the word embeddings as they are")
    freeze_layers: Whole = Field(0, ge=0, description="leave this many of the lowest layers as they are")
    train_examples: Whole | None = Field(None, ge=1, description="use only this many training rows (nested subsets)")
    temperature: Number = Field(0.05, gt=0, description="of the contrastive loss (bitext)")
    stride: Whole = Field(128, ge=1, description="tokens from one window of a long context to the next (span)")
    no_answer: Flag = Field(False, description="may a question have no answer? (span)")
    whole_words: Flag = Field(False, description="mask all pieces of a word or none (text)")


class Retrieval(Strict):
    """How texts become vectors and are searched. A field left out is as the benchmark of the task has it."""

    layer: Annotated[Whole, Field(ge=0)] | Literal["last", "xtreme", "all"] = Field(
        "last",
        description="hidden layer whose states are pooled, from 0, the embeddings; `xtreme` is the benchmark's for "
        "Tatoeba; `all` tries each (bitext)",
    )
    pooling: Literal["mean", "cls", "last"] | None = Field(
        None, description="of the states: their mean, the first (cls) or the last; not given: mean, but cls in ranking"
    )
    similarity: Literal["cosine", "dot", "l2"] | None = Field(
        None, description="of two vectors; not given: cosine; l2 is 1 / (1 + the squared distance)"
    )
    margin: Literal["none", "absolute", "distance", "ratio"] | None = Field(
        None, description="similarity against that of the nearest neighbours; not given: ratio in mining, or none"
    )
    neighbours: Whole = Field(4, ge=1, description="nearest neighbours of each side that a margin looks at")
    direction: Literal["forward", "backward", "intersect", "max"] | None = Field(
        None,
        description="whose best matches count: the foreign sentences' (forward), the English ones', those that agree, "
        "or the best of both; not given: backward, but max in mining",
    )
    shift: Flag = Field(False, description="move each side by the difference of the means before a search (mining)")
    official: Flag = Field(False, description="keep two peculiarities of XTREME's code (mining)")
    dev_language: str | None = Field(None, description="language that layer `all` chooses on; it is needed there")

    @model_validator(mode="after")
    def _has_a_dev_language(self) -> "Retrieval":
        if self.layer == "all" and self.dev_language is None:
            raise ValueError("layer: all needs a dev_language to choose the layer on: the test must not choose it")
        if self.layer != "all" and self.dev_language is not None:
            raise ValueError("dev_language is what layer: all chooses on; with one layer it has no use")
        return self

    def of(self, kind: str) -> "Retrieval":
        """The same with nothing left out: what is not given is as the benchmarks of that kind have it.

        Raises:
            SpecError: what is given is nothing that tasks of that kind can do.
        """
        defaults, choices = _RETRIEVAL[kind]
        whole = self.model_copy(update={name: value for name, value in defaults.items() if getattr(self, name) is None})
        for name, allowed in choices.items():
            value = getattr(whole, name)
            if value not in allowed:
                known = ", ".join(str(choice).lower() for choice in allowed)
                shown = str(value).lower()
                raise SpecError(f"retrieval.{name}: {shown} is not for {kind} tasks: leave it out, or take {known}.")
        if whole.layer == "all" and kind != "bitext":
            raise SpecError(f"retrieval.layer: all is for bitext tasks; name one layer for {kind} tasks.")
        return whole


#: For each kind that searches: what is meant by fields that are left out, and the values that fields may have.
_RETRIEVAL: Mapping[str, tuple[Mapping[str, str], Mapping[str, tuple[object, ...]]]] = {
    "bitext": (
        {"pooling": "mean", "similarity": "cosine", "margin": "none", "direction": "backward"},
        {"direction": ("forward", "backward"), "shift": (False,), "official": (False,)},
    ),
    "mining": ({"pooling": "mean", "similarity": "cosine", "margin": "ratio", "direction": "max"}, {}),
    "ranking": (
        {"pooling": "cls", "similarity": "cosine", "margin": "none", "direction": "forward"},
        {"direction": ("forward",), "margin": ("none",), "shift": (False,), "official": (False,)},
    ),
}


def sequence_name(value: object) -> object:
    """``[a, b]`` is "a, then b"."""
    if isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value):
        return THEN.join(value)
    return value


#: A file, or two that belong together: texts that translate each other line by line (the foreign one first), rows and
#: their labels, or queries and candidates.
File = str | tuple[str, str]


class Files(Strict):
    """Plain files as a task, where the name of the training file alone does not say enough."""

    train: File | None = Field(None, description="rows to train on; if not given, the task's name where that is a file")
    test: Mapping[str, File] = Field(default_factory=dict, description="files to measure on, by language")
    language: str = Field("en", description="of the training rows")
    kind: str | None = Field(None, description="of task; guessed from the columns if not given")
    columns: Mapping[str, str | Whole] = Field(
        default_factory=dict, description="role (`text`, `label`, ...): name in the header, or number without one"
    )
    format: Literal["csv", "tsv", "jsonl", "json", "conll", "conllu", "text"] | None = Field(
        None, description="by the files' names"
    )
    quoting: Literal["auto", "csv", "none"] = Field("auto", description="how quotation marks in CSV and TSV are read")


class MaskedText(Strict):
    """Masked language modelling that is interleaved with the tasks of a mixture."""

    share: Number = Field(0.2, gt=0, lt=1, description="of the optimiser steps")
    text: Mapping[str, File] = Field(default_factory=dict, description="files of text, a line each, by language")
    tasks: Annotated[tuple[str, ...], BeforeValidator(one_or_list)] = Field(
        (), description="tasks whose texts are read, whatever their kind"
    )
    split: Literal["train", "dev", "test"] = Field(
        "train", description="of these tasks; where a language has no such split it is left out"
    )
    languages: Annotated[tuple[str, ...], BeforeValidator(one_or_list)] = Field(
        ("all",), description="of the texts: `all`, tags, or a selector"
    )
    temperature: Number = Field(
        3.3, gt=0, description="a language with n rows is drawn in proportion to n to the power of 1 / temperature"
    )

    @model_validator(mode="after")
    def _has_text(self) -> "MaskedText":
        if not self.text and not self.tasks:
            raise ValueError("mlm needs text: files by language, or tasks whose texts are read, or both")
        return self


class Mixture(Strict):
    """Several tasks trained together; each optimiser step is of one of them, in an order that the seed fixes."""

    tasks: Annotated[tuple[str, ...], BeforeValidator(one_or_list), Field(min_length=1), DISTINCT] = Field(
        description="tasks, or translations, of any kinds"
    )
    sampling: Literal["proportional", "uniform", "temperature"] = Field(
        "proportional", description="how often each has its turn: by its rows, equally often, or in between"
    )
    temperature: Number = Field(2.0, gt=0, description="n rows count as n to the power of 1 / temperature")
    cap: Whole | None = Field(None, ge=1, description="a task with more rows counts as if it had so many")
    heads: Literal["separate", "shared"] = Field(
        "separate", description="`shared`: one head for all tasks, which must have the same kind and labels"
    )
    mlm: MaskedText | None = Field(None, description="masked language modelling in between")

    @model_validator(mode="after")
    def _are_different(self) -> "Mixture":
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError("a mixture names a task twice: sampling says how often each of them comes")
        return self


class Translation(Strict):
    """A task whose training rows are translated, by a model or by the user."""

    task: str = Field(description="the task whose training rows are translated")
    into: Annotated[tuple[str, ...], BeforeValidator(one_or_list)] = Field(
        (), description="languages to translate into"
    )
    translator: str | None = Field(None, description="a seq2seq model: a folder, or a hub id, optionally @revision")
    files: Mapping[str, File] = Field(default_factory=dict, description="translations that are there, by language")
    keep_source: Flag = Field(True, description="train on the rows that were translated, too")
    beams: Whole = Field(1, ge=1, description="of the translator's search")
    max_length: Whole = Field(256, ge=8, description="tokens of a text for the translator; longer ones are split")
    projection: Literal["auto", "markers", "alignment"] = Field(
        "auto", description="how spans and tags find their place: `auto` aligns where markers were lost"
    )
    encoder: str = Field("embedded", description="the model whose states align words, for projection")
    min_quality: Number = Field(0.5, ge=0, le=1, description="a row whose projection scores less is dropped")

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> "Translation":
        if bool(self.translator) != bool(self.into):
            raise ValueError("translator and into belong together: a model, and the languages it translates into")
        if not self.translator and not self.files:
            raise ValueError("a translation needs a translator and the languages to translate into, or files")
        if twice := set(self.into) & set(self.files):
            raise ValueError(f"{min(twice)} is both translated and read from a file: leave one of them out")
        return self


def named_preset(value: object) -> object:
    """``paper`` is ``{preset: paper}``."""
    return {"preset": value} if isinstance(value, str) else value


#: Fields of a recipe, of which only those that are given count; a preset's name will do.
Fields = Annotated[Recipe, BeforeValidator(named_preset)]


class Variant(Recipe):
    """One of the recipes of a study: fields for every training stage, and below the name of a role, a task or a mixture
    those for it alone."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Fields]

    @property
    def places(self) -> Mapping[str, Recipe]:
        """The fields for a role, a task or a mixture alone."""
        return self.__pydantic_extra__


Count = Annotated[int, Field(strict=True, ge=1)]
#: Generators take seeds of 32 bits.
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
Seeds = Annotated[tuple[Seed, ...], BeforeValidator(one_or_list), Field(min_length=1), DISTINCT]
Names = Annotated[tuple[str, ...], BeforeValidator(one_or_list), Field(min_length=1)]
Axis = Annotated[Names, DISTINCT]
Intermediate = Annotated[str, BeforeValidator(sequence_name)]
Intermediates = Annotated[tuple[Intermediate, ...], BeforeValidator(one_or_list), Field(min_length=1), DISTINCT]


class Study(Strict):
    """Axes that expand into chains: every recipe x model x intermediate x size x seed x target."""

    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="names its folder and report")
    models: Axis = Field(("embedded",), description="`embedded`, a folder, or a hub id, optionally @revision")
    intermediates: Intermediates = Field(
        (NONE,),
        description="`none`, a task, a mixture (its name, or tasks with + between), or a list of these trained one "
        "after another",
    )
    targets: Axis = Field(description="tasks to measure; those with English training data are trained on first")
    train_on: Mapping[str, Annotated[tuple[str, ...], BeforeValidator(one_or_list)]] = Field(
        default_factory=dict, description="target: tasks or files to train on before measuring it, instead of its usual"
    )
    sizes: Annotated[tuple[Count | Literal["all"], ...], BeforeValidator(one_or_list), DISTINCT] = Field(
        (),
        description="each intermediate with so many training rows of each of its tasks: a smaller set lies within a "
        "larger one; `all` is as many as the recipe says. One alone: `task@1000` among the intermediates",
    )
    recipes: Mapping[str, Annotated[Variant, BeforeValidator(named_preset)]] = Field(
        default_factory=dict,
        description="an axis: by name, recipe fields that come before all others; those of a role or a task below its "
        "name",
    )
    seeds: Seeds = Field(
        (1,), description="one chain each; two or more let the intervals cover the training's own variance"
    )
    target_seeds: Mapping[str, Seeds] = Field(
        default_factory=dict, description="target, or suite: seeds of its chains, instead of `seeds`"
    )
    languages: Names = Field(("all",), description="languages to measure: `all`, tags, or a selector")
    data: Annotated[tuple[str, ...], BeforeValidator(one_or_list)] = Field(
        (), description="folders of data sets, searched in order, and `hub`; the hub alone if not given"
    )
    partial: Flag = Field(
        False, description="accept fewer rows and languages than published, and dev where test labels are withheld"
    )
    test_examples: Count | Mapping[str, Count] | None = Field(
        None,
        description="measure on at most this many test rows a language; a number, or one for each target or suite "
        "named",
    )
    recipe: Fields = Field(Recipe(), description="of every training stage; a preset's name will do")
    overrides: Mapping[str, Fields] = Field(
        default_factory=dict, description="recipe fields by role (`intermediate`, `target`), task or mixture"
    )
    mixtures: Mapping[str, Mixture] = Field(default_factory=dict, description="tasks trained together, by name")
    translations: Mapping[str, Translation] = Field(
        default_factory=dict, description="translated training rows, by the name they have here"
    )
    retrieval: Retrieval = Field(Retrieval(), description="how sentences are embedded and searched")
    files: Mapping[str, Files] = Field(default_factory=dict, description="your own tasks, by the name they have here")

    @model_validator(mode="after")
    def _check(self) -> "Study":
        axes: dict[tuple[str, ...], tuple[object, ...]] = {
            (axis,): getattr(self, axis) for axis in ("models", "intermediates", "sizes", "targets", "seeds")
        }
        axes |= {("target_seeds", name): seeds for name, seeds in self.target_seeds.items()}
        for place, values in axes.items():
            for number, value in enumerate(values):
                if value in values[:number]:
                    raise _fault((*place, number), f"{'.'.join(place)} names {value!r} twice")
        for number, intermediate in enumerate(self.intermediates):
            steps = (step.rpartition(OF_ROWS) for step in intermediate.split(THEN))
            if any(sign and not rows.strip("0 ") for _, sign, rows in steps):
                raise _fault(("intermediates", number), f"{intermediate!r}: a size is a number of rows, at least 1")
        for field in ("files", "mixtures", "translations"):
            for name in getattr(self, field):
                if sized(name) != (name, None):
                    raise _fault((field, name), f"{field}: the name {name!r} ends as a size does: choose another one")
        if "" in self.recipes:
            raise _fault(("recipes", ""), "recipes: a recipe needs a name")
        return self

    @property
    def arms(self) -> tuple[str, ...]:
        """The intermediates, each in all sizes; ``none`` has none."""
        sizes = self.sizes or (ALL,)
        every = (of_size(name, size) for name in self.intermediates for size in (sizes if name != NONE else (ALL,)))
        return tuple(dict.fromkeys(every))

    def seeds_of(self, target: str) -> tuple[int, ...]:
        """The seeds of the chains that end in ``target``."""
        return self.target_seeds.get(target, self.seeds)

    def test_limit(self, target: str) -> int | None:
        """How many test rows a language the target is measured on; None for all."""
        asked = self.test_examples
        return asked.get(target) if isinstance(asked, Mapping) else asked


def _fault(place: tuple[str | int, ...], message: str) -> PydanticCustomError:
    """What is wrong between fields, and at which of them."""
    return PydanticCustomError("study", "{message}", {"message": message, "place": place})


def said(recipe: Recipe) -> dict[str, Any]:
    """The fields of a recipe that were given."""
    return {name: getattr(recipe, name) for name in recipe.model_fields_set if name in Recipe.model_fields}


def retrieval_for(said: Retrieval, usual: Mapping[str, Any]) -> Retrieval:
    """How a task's texts are searched: what is ``usual`` for it, then what is ``said``."""
    given = {name: getattr(said, name) for name in said.model_fields_set}
    return Retrieval.model_validate({**usual, **given})


def steps_of(intermediate: str) -> tuple[str, ...]:
    """The tasks of an intermediate, in the order they are trained; none for ``none``."""
    return () if intermediate == NONE else tuple(step.strip() for step in intermediate.split(THEN))


def of_size(intermediate: str, size: int | str) -> str:
    """The intermediate with ``size`` rows of each of its tasks; one that names a size already, or `all`, keeps it."""
    if size == ALL and OF_ROWS not in intermediate:
        return intermediate
    found = []
    for step in steps_of(intermediate):
        task, rows = sized(step)
        own = rows is not None or task != step
        found.append(task if rows is None and (own or size == ALL) else step if own else f"{step}{OF_ROWS}{size}")
    return THEN.join(found)


def sized(name: str) -> tuple[str, int | None]:
    """``task@1000`` as the task and its rows, ``task@all`` as the task and None; any other name as it is, and None."""
    task, sign, rows = name.rpartition(OF_ROWS)
    if not (sign and task):
        return name, None
    if rows == ALL:
        return task, None
    return (task, int(rows)) if rows.isascii() and rows.isdecimal() and int(rows) else (name, None)


def first_problem(error: Exception) -> str:
    """The first problem of a pydantic error, as words: ``field: what is wrong``."""
    problems = getattr(error, "errors", None)
    if problems is None:
        return str(error)
    first = problems()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such field"
    return f"{where}: {message}" if where else message
