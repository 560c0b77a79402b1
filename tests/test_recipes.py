"""Recipes by name are valid for every task, and the paper's are the paper's."""

from typing import get_args

import pytest

from isthmus.data.schema import Kind
from isthmus.study.recipes import MIXTURE, Preset, Role, preset
from isthmus.study.spec import Recipe
from isthmus.tasks.mixtures import MIXTURES
from isthmus.tasks.registry import tasks

#: Epochs, examples of a step, and tokens, as in the scripts of jiant.
TARGETS = {
    "xnli": (2, 32, 256),
    "pawsx": (5, 32, 256),
    "udpos": (10, 32, 256),
    "panx": (10, 32, 256),
    "squad": (2, 16, 384),
    "tydiqa": (2, 16, 384),
}
#: Epochs and examples of a step, as recalled.
INTERMEDIATES = {
    "anli-plus": (2, 24), "mnli": (2, 24), "qqp": (3, 24), "squad": (3, 8), "squad-v2": (3, 8), "hellaswag": (7, 24),
    "ccg": (15, 24), "cosmosqa": (15, 4), "commonsenseqa": (10, 4), "nine": (3, 24),
}  # fmt: skip


def kind_of(name: str) -> Kind | str:
    return MIXTURE if name in MIXTURES else tasks()[name].kind


@pytest.mark.parametrize("name", get_args(Preset))
@pytest.mark.parametrize("role", get_args(Role))
def test_every_task_has_a_valid_recipe(name: Preset, role: Role) -> None:
    for task in (*tasks(), *MIXTURES):
        fields = preset(name, role, task, kind_of(task))
        assert fields.keys() <= Recipe.model_fields.keys() - {"preset"}
        recipe = Recipe.model_validate({"preset": name, **fields})
        if kind_of(task) in (Kind.SPAN, MIXTURE):
            assert recipe.stride < recipe.max_length
        usual = {} if task in MIXTURES else tasks()[task].recipe
        Recipe.model_validate({**usual, **fields})


@pytest.mark.parametrize("role", get_args(Role))
def test_the_papers_stages_share_rate_and_stopping(role: Role) -> None:
    for task in tasks():
        recipe = Recipe.model_validate(preset("paper", role, task, kind_of(task)))
        assert (recipe.learning_rate, recipe.weight_decay, recipe.warmup_ratio) == (1e-5, 0.01, 0.1)
        assert (recipe.max_grad_norm, recipe.dev_examples) == (1.0, 500)
        stops = kind_of(task) not in (Kind.TEXT, Kind.MINING, Kind.RANKING)  # which are not measured while training
        assert recipe.evaluate_every == (1000 if stops else None)
        assert (recipe.patience, recipe.checkpoint) == ((30, "best") if stops else (None, "last"))
        assert recipe.dev_languages == (), "on English: other languages would no longer be zero-shot"


def test_the_papers_targets_are_those_of_its_scripts() -> None:
    for task, (epochs, batch, tokens) in TARGETS.items():
        recipe = Recipe.model_validate(preset("paper", "target", task, kind_of(task)))
        assert (recipe.epochs, recipe.batch_size, recipe.max_length, recipe.stride) == (epochs, batch, tokens, 128)


def test_the_papers_intermediate_tasks_are_as_recalled() -> None:
    for task, (epochs, batch) in INTERMEDIATES.items():
        recipe = Recipe.model_validate(preset("paper", "intermediate", task, kind_of(task)))
        assert (recipe.epochs, recipe.batch_size) == (epochs, batch), task
    assert preset("paper", "intermediate", "squad", Kind.SPAN) != preset("paper", "target", "squad", Kind.SPAN)


def test_quick_ones_see_few_rows_and_leave_word_embeddings_alone() -> None:
    for task in tasks():
        recipe = Recipe.model_validate(preset("fast", "intermediate", task, kind_of(task)))
        assert recipe.freeze_embeddings and (recipe.train_examples or 10**9) * recipe.epochs <= 2000
