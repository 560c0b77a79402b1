"""What a person writes: a study, and the recipes inside it. Strict: an unknown or ill-typed field is an error."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

#: The intermediate that means "no intermediate stage": the baseline of every gain.
NONE = "none"
#: Between the names of tasks trained one after another.
THEN = ">"


class Strict(BaseModel):
    """Frozen, and closed to fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Recipe(Strict):
    """The hyperparameters of one training stage. A field left at its default is not part of a stage's key.

    The defaults are the paper's target stage (arXiv 2005.13013, appendix A, and jiant's published scripts), but for
    ``epochs``, which the paper sets by task.
    """

    epochs: float = Field(3, gt=0, le=1000, description="passes over the training rows")
    learning_rate: float = Field(1e-5, gt=0, lt=1, description="peak learning rate of AdamW")
    batch_size: int = Field(32, ge=1, description="examples an optimiser step sees, however they are split up")
    max_length: int = Field(128, ge=8, description="tokens, special ones included; longer inputs are cut or windowed")
    warmup_ratio: float = Field(0.1, ge=0, le=1, description="share of the steps that the rate rises over")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's; biases, norms and word embeddings are exempt")
    max_grad_norm: float = Field(1.0, gt=0, description="the whole gradient is clipped to this norm")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="arithmetic of the forward and backward pass")
    freeze_embeddings: bool = Field(False, description="leave the word embeddings as they are")
    freeze_layers: int = Field(0, ge=0, description="leave this many of the lowest layers as they are")
    train_examples: int | None = Field(None, ge=1, description="use only this many training rows (nested subsets)")
    temperature: float = Field(0.05, gt=0, description="of the contrastive loss (bitext)")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


def _intermediate_name(value: object) -> object:
    """``[a, b]`` is "a, then b"."""
    if isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value):
        return THEN.join(value)
    return value


#: A file, or two that translate each other line by line: the foreign one, then the English one.
File = str | tuple[str, str]


class Files(Strict):
    """Plain files as a task, where the name of the training file alone does not say enough."""

    train: File | None = Field(None, description="rows to train on; if not given, the task's name where that is a file")
    test: Mapping[str, File] = Field(default_factory=dict, description="files to measure on, by language")
    language: str = Field("en", description="of the training rows")
    kind: str | None = Field(None, description="of task; guessed from the columns if not given")
    columns: Mapping[str, str | int] = Field(
        default_factory=dict, description="role (`text`, `label`, ...): name in the header, or number without one"
    )
    format: Literal["csv", "tsv", "jsonl", "conll", "conllu"] | None = Field(None, description="by the files' names")
    quoting: Literal["auto", "csv", "none"] = Field("auto", description="how quotation marks in CSV and TSV are read")


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
Intermediate = Annotated[str, BeforeValidator(_intermediate_name)]
Overrides = Mapping[str, Any]


class Study(Strict):
    """Axes that expand into chains: every model x intermediate x target x seed."""

    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="names its folder and report")
    models: Names = Field(("embedded",), description="`embedded`, a folder, or a hub id, optionally @revision")
    intermediates: Annotated[tuple[Intermediate, ...], BeforeValidator(_as_list), Field(min_length=1)] = Field(
        (NONE,), description="`none`, a task, or a list of tasks trained one after another"
    )
    targets: Names = Field(description="tasks to measure; those with English training data are trained on first")
    seeds: Annotated[tuple[int, ...], BeforeValidator(_as_list), Field(min_length=1)] = Field(
        (1,), description="one chain each; two or more let the intervals cover the training's own variance"
    )
    languages: Names = Field(("all",), description="languages to measure: `all`, tags, or a selector")
    test_examples: int | None = Field(None, ge=1, description="measure on at most this many test rows a language")
    recipe: Recipe = Field(Recipe(), description="of every training stage")
    overrides: Mapping[str, Overrides] = Field(
        default_factory=dict, description="recipe fields by role (`intermediate`, `target`) or by task"
    )
    files: Mapping[str, Files] = Field(default_factory=dict, description="your own tasks, by the name they have here")

    @model_validator(mode="after")
    def _check(self) -> "Study":
        for axis in ("models", "intermediates", "targets", "seeds"):
            values = getattr(self, axis)
            if len(set(values)) < len(values):
                repeated = next(value for value in values if values.count(value) > 1)
                raise ValueError(f"{axis} names {repeated!r} twice")
        for name, fields in self.overrides.items():
            try:
                Recipe.model_validate({**self.recipe.model_dump(), **fields})
            except ValueError as error:
                raise ValueError(f"overrides.{name}: {first_problem(error)}") from None
        return self

    def recipe_for(self, task: str, role: Literal["intermediate", "target"]) -> Recipe:
        """The recipe of a stage: the study's, changed for the role, then for the task."""
        changes = {**self.overrides.get(role, {}), **self.overrides.get(task, {})}
        return Recipe.model_validate({**self.recipe.model_dump(), **changes}) if changes else self.recipe


def steps_of(intermediate: str) -> tuple[str, ...]:
    """The tasks of an intermediate, in the order they are trained; none for ``none``."""
    return () if intermediate == NONE else tuple(intermediate.split(THEN))


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
