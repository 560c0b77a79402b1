"""A study becomes the smallest graph of stages that answers it."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.api import load_study, study_yaml
from isthmus.data.catalog import SplitFacts
from isthmus.data.schema import Kind
from isthmus.errors import SpecError
from isthmus.planning.facts import members_of
from isthmus.planning.forecast import closure
from isthmus.planning.plan import Facts, ModelSource, Plan, plan
from isthmus.planning.training import mixture_of
from isthmus.stage import Settings, Stage
from isthmus.study.file import parse_study
from isthmus.study.recipes import Place, recipe_for
from isthmus.study.spec import NONE, Recipe, Study
from isthmus.tasks.core import Task
from isthmus.tasks.mixtures import MIXTURES
from isthmus.tasks.registry import task

PAPER_INTERMEDIATES = ["anli+", "mnli", "qqp", "squad1", "squad2", "hellaswag", "ccg", "cosmosqa", "csqa"]
PAPER_TRAINED_TARGETS = ["xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa"]
PAPER_UNTRAINED_TARGETS = ["bucc2018", "tatoeba"]


def made_up_task(name: str) -> Task:
    trains = None if name in PAPER_UNTRAINED_TARGETS else "en"
    return Task(name, Kind.PAIR, "", ("en", "sw"), "accuracy", None, "CC0", "annotated", trains)  # type: ignore[arg-type]


FACTS = Facts(
    task=made_up_task,
    model=lambda name: ModelSource(name, {"folder": name}),
    split=lambda task, split, language: SplitFacts(f"{task.name}/{split}/{language}", 100, 5000),
    languages=lambda _, task: task.languages,
)


def stages(made: Plan, function: str) -> list[Stage]:
    return [stage for stage in made.stages.values() if stage.function == function]


def test_the_papers_grid_trains_237_models_where_single_chains_would_train_453() -> None:
    study = Study(
        intermediates=[NONE, *PAPER_INTERMEDIATES],
        targets=PAPER_TRAINED_TARGETS + PAPER_UNTRAINED_TARGETS,
        seeds=[1, 2, 3],
    )
    made = plan(study, FACTS)
    assert len(stages(made, "train")) == 27 + 210
    alone = [
        (chain.chain.intermediate != NONE) + (chain.chain.target in PAPER_TRAINED_TARGETS) for chain in made.chains
    ]
    assert sum(alone) == 453


names = st.lists(st.sampled_from(PAPER_INTERMEDIATES), min_size=1, max_size=3, unique=True)


@settings(deadline=None, max_examples=60)
@given(
    sequences=st.lists(names.map(">".join), min_size=0, max_size=5, unique=True),
    targets=st.lists(st.sampled_from(PAPER_TRAINED_TARGETS + PAPER_UNTRAINED_TARGETS), min_size=1, unique=True),
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    models=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True),
)
def test_no_stage_is_planned_twice_and_none_is_missing(
    sequences: list[str], targets: list[str], seeds: list[int], models: list[str]
) -> None:
    study = Study(models=models, intermediates=[NONE, *sequences], targets=targets, seeds=seeds)
    made = plan(study, FACTS)
    paths = set()
    for chain in (planned.chain for planned in made.chains):
        steps = [] if chain.intermediate == NONE else [(name, "intermediate") for name in chain.intermediate.split(">")]
        if chain.target in PAPER_TRAINED_TARGETS:
            steps.append((chain.target, "target"))
        paths |= {(chain.model, chain.seed, tuple(name for name, _ in steps[:n])) for n in range(1, len(steps) + 1)}
    assert len(stages(made, "train")) == len(paths)
    assert len(stages(made, "model")) == len(models)
    seen: set[str] = set()
    for key, stage in made.stages.items():
        assert set(stage.inputs.values()) <= seen, "a stage comes after those it builds on"
        seen.add(key)
    assert {planned.score for planned in made.chains} <= seen


def test_the_baseline_of_an_untrained_target_is_measured_once_whatever_the_seeds() -> None:
    made = plan(Study(targets=["tatoeba"], seeds=[1, 2, 3]), FACTS)
    assert len(made.chains) == 3
    assert len(stages(made, "predict")) == 1


def test_a_key_does_not_depend_on_titles_hints_or_settings() -> None:
    stage = Stage("train", {"seed": 1}, {"model": "model-0"}, "one title", {"task": "a"})
    assert replace(stage, title="another", hints={}).key == stage.key
    assert stage.to_json(Settings(threads=1))["key"] == stage.to_json(Settings(threads=8, micro_batch=2))["key"]


def test_a_knob_written_out_at_its_default_does_not_change_a_key() -> None:
    plain = plan(Study(targets=["xnli"]), FACTS)
    explicit = plan(Study(targets=["xnli"], recipe=Recipe(epochs=3, batch_size=32)), FACTS)
    assert list(plain.stages) == list(explicit.stages)


@pytest.mark.parametrize(
    "change", [{"seeds": [2]}, {"recipe": {"epochs": 1}}, {"overrides": {"xnli": {"batch_size": 8}}}, {"models": ["x"]}]
)
def test_what_changes_a_result_changes_its_key(change: dict[str, object]) -> None:
    before = plan(Study(targets=["xnli"], models=["m"]), FACTS)
    after = plan(Study.model_validate({"targets": ["xnli"], "models": ["m"], **change}), FACTS)
    assert before.chains[0].score != after.chains[0].score


def test_stages_of_several_recipes_can_be_told_apart_by_their_titles() -> None:
    recipes = {"quick": {"epochs": 1}, "slow": {"epochs": 5}}
    study = Study.model_validate({"targets": ["xnli"], "intermediates": ["none", "mnli"], "recipes": recipes})
    titles = [stage.title for stage in plan(study, FACTS).stages.values()]
    assert len(set(titles)) == len(titles)
    assert [sum(title.endswith(f"({name})") for title in titles) for name in recipes] == [len(titles) // 2] * 2


def test_a_task_override_wins_over_a_role_override_and_that_over_the_recipe() -> None:
    study = Study.model_validate(
        {
            "targets": ["xnli"],
            "recipe": {"epochs": 1},
            "overrides": {"target": {"epochs": 2, "batch_size": 8}, "xnli": {"epochs": 5}},
        }
    )
    recipe = recipe_for(study, Place("xnli", "target"))
    assert (recipe.epochs, recipe.batch_size) == (5, 8)
    assert recipe_for(study, Place("xnli", "intermediate")).epochs == 5
    assert recipe_for(study, Place("mnli", "intermediate")).epochs == 1


def test_a_task_without_training_data_cannot_be_an_intermediate() -> None:
    with pytest.raises(SpecError, match="tatoeba has no training data"):
        plan(Study(intermediates=["tatoeba"], targets=["xnli"]), FACTS)


def test_an_evaluation_trains_nothing() -> None:
    made = plan(Study(targets=["xnli", "tatoeba"]), FACTS, "evaluation")
    assert not stages(made, "train")
    assert len(stages(made, "score")) == 2


def test_a_training_ends_in_models() -> None:
    made = plan(Study(intermediates=["mnli"], targets=["xnli"]), FACTS, "models")
    assert [stage.function for stage in made.stages.values()] == ["model", "train", "train"]
    assert made.chains[0].score is None


def tasks_of_a_suite(name: str) -> Task:
    task = replace(made_up_task(name), languages=("en", "sw", "qu"))
    if name in ("xquad", "mlqa"):
        return replace(task, kind=Kind.SPAN, train_language=None, trains_on=("squad1",), recipe={"max_length": 384})
    if name == "bucc2018":
        return replace(task, kind=Kind.MINING)
    if name == "lareqa":
        return replace(task, kind=Kind.RANKING, train_language=None, pool=("en", "sw"))
    return replace(task, kind=Kind.BITEXT) if name == "tatoeba" else task


SUITE = {"small": {"xquad": ("en", "sw", "de"), "mlqa": ("sw",), "tatoeba": ("sw",)}}
SUITE_FACTS = replace(FACTS, task=tasks_of_a_suite, suite=SUITE.get)


def test_a_suite_is_its_tasks_each_in_the_suites_languages_as_far_as_the_task_has_them() -> None:
    made = plan(Study(targets=["small"]), SUITE_FACTS)
    measured = {stage.hints["task"]: list(stage.identity["test"]) for stage in stages(made, "predict")}
    assert measured == {"xquad": ["en", "sw"], "mlqa": ["sw"], "tatoeba": ["sw"]}


def test_targets_that_are_trained_on_the_same_task_share_the_model() -> None:
    made = plan(Study(targets=["xquad", "mlqa"]), SUITE_FACTS)
    (training,) = stages(made, "train")
    assert training.hints["task"] == "squad1"
    assert {planned.model for planned in made.chains} == {training.key}
    assert all(stage.identity["max_length"] == 384 for stage in stages(made, "predict"))


def test_a_target_may_be_trained_on_other_tasks_than_usual() -> None:
    made = plan(Study(targets=["xquad", "mlqa"], train_on={"mlqa": ["mnli", "squad2"]}), SUITE_FACTS)
    assert [stage.hints["task"] for stage in stages(made, "train")] == ["squad1", "mnli", "squad2"]
    assert "mnli > squad2" in made.stages[made.chains[1].model].title


def test_what_a_study_says_comes_before_what_is_usual_for_a_task() -> None:
    usual = {"max_length": 384, "epochs": 2}
    assert recipe_for(Study(targets=["a"]), Place("a", "target"), usual).max_length == 384
    said = Study(targets=["a"], recipe=Recipe(max_length=128))  # its default, but said
    assert recipe_for(said, Place("a", "target"), usual) == Recipe(max_length=128, epochs=2)


def test_rows_that_are_looked_for_come_with_what_they_are_looked_for_among() -> None:
    made = plan(Study(targets=["bucc2018", "lareqa"], languages=["sw"]), SUITE_FACTS, "evaluation")
    by_task = {stage.hints["task"]: stage.identity for stage in stages(made, "predict")}
    mining, ranking = by_task["bucc2018"], by_task["lareqa"]
    assert all(list(mining[split]) == list(mining["test"]) for split in ("candidates", "dev", "dev_candidates"))
    assert list(ranking["candidates"]) == ["en", "sw"], "the pool is the task's, whatever is measured"
    assert "dev" not in ranking


def test_only_what_retrieves_depends_on_how_it_is_done() -> None:
    keys = [
        {stage.hints["task"]: stage.key for stage in stages(plan(study, SUITE_FACTS, "evaluation"), "predict")}
        for study in (
            Study(targets=["tatoeba", "pawsx"]),
            Study(targets=["tatoeba", "pawsx"], retrieval={"pooling": "cls"}),
        )
    ]
    assert keys[0]["pawsx"] == keys[1]["pawsx"]
    assert keys[0]["tatoeba"] != keys[1]["tatoeba"]


def test_predictions_need_no_scores() -> None:
    for goal, trained in (("predictions", 0), ("trained predictions", 1)):
        made = plan(Study(targets=["xquad"]), SUITE_FACTS, goal)  # type: ignore[arg-type]
        assert len(stages(made, "train")) == trained
        assert not stages(made, "score")
        assert made.chains[0].predictions in made.stages


MIXED = {"mix": {"tasks": ["mnli", "qqp"]}}


@pytest.mark.parametrize("targets", [["xquad", "small"], ["small", "xquad"], ["small", "few"], ["few", "small"]])
def test_a_target_that_is_named_again_by_a_suite_is_one_in_the_languages_of_all(targets: list[str]) -> None:
    suites = {**SUITE, "few": {"xquad": ("qu",)}}
    made = plan(Study(targets=targets), replace(SUITE_FACTS, suite=suites.get))
    measured = [chain.chain.target for chain in made.chains]
    assert measured.count("xquad") == 1 and len(set(measured)) == len(measured)
    (predicted,) = (stage for stage in stages(made, "predict") if stage.hints["task"] == "xquad")
    assert set(predicted.identity["test"]) == {"en", "sw", "qu"}
    assert predicted.title.endswith("3 languages")


def with_mixtures(study: Study) -> Facts:
    return replace(FACTS, mixture=lambda name: mixture_of(name, study.mixtures), offers=lambda *_: True)


def trained(**fields: object) -> Stage:
    """The one train stage of a study that trains one intermediate and measures it as it is."""
    study = Study.model_validate({"targets": ["tatoeba"], **fields})
    (stage,) = stages(plan(study, with_mixtures(study)), "train")
    return stage


def test_a_mixture_is_one_stage_whose_members_are_in_its_key() -> None:
    stage = trained(intermediates=["mix"], mixtures=MIXED)
    assert [member["name"] for member in stage.identity["members"]] == ["mnli", "qqp"]
    assert [member["train"] for member in stage.identity["members"]] == ["mnli/train/en", "qqp/train/en"]
    assert trained(intermediates=["mnli+qqp"]).key == stage.key, "the same, written in line"
    for change in ({"sampling": "uniform"}, {"cap": 5}, {"heads": "shared"}, {"tasks": ["qqp", "mnli"]}):
        assert trained(intermediates=["mix"], mixtures={"mix": {**MIXED["mix"], **change}}).key != stage.key


def kinds_of_tasks(name: str) -> Task:
    kinds = {"squad1": Kind.SPAN, "tatoeba": Kind.BITEXT, "pairs": Kind.BITEXT, "ntrex": Kind.TEXT}
    return replace(made_up_task(name), kind=kinds.get(name, Kind.PAIR))


@pytest.mark.parametrize(
    ("field", "has_effect"),
    [
        ({"temperature": 0.1}, {"pairs", "qqp+pairs"}),
        ({"stride": 64}, {"squad1", "qqp+squad1", "qqp+pairs", "texts"}),
        ({"no_answer": True}, {"squad1", "qqp+squad1"}),
        ({"whole_words": True}, {"texts"}),
        ({"dev_examples": 100}, set()),
        ({"dev_languages": ["en"]}, set()),
        ({"steps": 10, "epochs": 5}, {"qqp+squad1", "qqp+pairs", "texts"}),
    ],
)
def test_a_field_without_effect_where_it_stands_makes_no_other_stage(
    field: dict[str, object], has_effect: set[str]
) -> None:
    without = {"steps": 10} if "steps" in field else {}
    for intermediate in ("qqp", "squad1", "pairs", "qqp+squad1", "qqp+pairs", "texts"):
        text = {"texts": {"tasks": ["qqp"], "mlm": {"tasks": ["ntrex"]}}}
        mixtures = text if intermediate == "texts" else {}
        recipes = {"a": without, "b": field}
        study = Study.model_validate(
            {"intermediates": [intermediate], "targets": ["xnli"], "recipes": recipes, "mixtures": mixtures}
        )
        made = plan(study, replace(with_mixtures(study), task=kinds_of_tasks))
        assert len(stages(made, "train")) == (4 if intermediate in has_effect else 2), intermediate
        assert len(made.chains) == 2


@pytest.mark.parametrize("field", [{"stride": 64}, {"no_answer": True}])
def test_what_is_of_windows_and_answers_is_in_the_measurement_of_questions_alone(field: dict[str, object]) -> None:
    recipes = {"a": {}, "b": field}
    for target, count in (("qqp", 1), ("squad1", 2)):
        study = Study.model_validate({"targets": [target], "recipes": recipes})
        made = plan(study, replace(FACTS, task=kinds_of_tasks), "evaluation")
        assert len(stages(made, "predict")) == count


def test_evaluations_make_their_rows_a_part_of_the_key_and_a_model_is_tuned_by_them_alone() -> None:
    dev = {"dev_examples": 100, "dev_languages": ("en", "sw")}
    with_evaluations = trained(intermediates=["qqp"], recipe={**dev, "evaluate_every": 5})
    assert with_evaluations.identity["recipe"] == {**dev, "evaluate_every": 5}
    assert with_evaluations.hints["tuned_on"] == ["sw"]
    without = trained(intermediates=["qqp"], recipe=dev)
    assert without.key == trained(intermediates=["qqp"]).key and without.hints["tuned_on"] == []


def test_members_of_a_mixture_have_batches_of_their_own_and_one_learning_rate() -> None:
    overrides = {"qqp": {"batch_size": 4, "learning_rate": 0.5}, "mix": {"learning_rate": 0.1, "batch_size": 16}}
    stage = trained(intermediates=["mix"], mixtures=MIXED, overrides=overrides)
    assert stage.identity["recipe"] == {"learning_rate": 0.1, "batch_size": 16}
    assert [member.get("recipe") for member in stage.identity["members"]] == [None, {"batch_size": 4}]


def test_masked_language_modelling_is_a_member_for_each_language() -> None:
    mlm = {"share": 0.3, "tasks": ["xnli", "tatoeba"], "split": "dev", "languages": ["sw"]}
    stage = trained(intermediates=["mix"], mixtures={"mix": {**MIXED["mix"], "mlm": mlm}})
    *_, member = stage.identity["members"]
    assert (member["name"], member["kind"]) == ("mlm/sw", "text")
    assert member["train"] == ["xnli/dev/sw", "tatoeba/dev/sw"] and member["text_of"] == ["pair", "pair"]
    assert stage.identity["mixture"]["mlm"] == {"share": 0.3, "temperature": 3.3}


def test_translations_are_stages_of_their_own_which_studies_share() -> None:
    translation = {"task": "mnli", "translator": "t", "into": ["de", "sw"]}
    study = Study.model_validate(
        {"targets": ["tatoeba"], "intermediates": ["none", "mnli-mt"], "seeds": [1, 2],
         "translations": {"mnli-mt": translation}}
    )  # fmt: skip
    made = plan(study, with_mixtures(study))
    translate = stages(made, "translate")
    assert [stage.identity["language"] for stage in translate] == ["de", "sw"]
    for stage in stages(made, "train"):
        assert stage.identity["train"] == ["mnli/train/en", "@rows.de", "@rows.sw"]
        assert [stage.inputs[f"rows.{tag}"] for tag in ("de", "sw")] == [each.key for each in translate]
        assert next(iter(stage.inputs)) == "model"


def test_dev_rows_are_those_of_the_dev_split_or_held_out_of_training() -> None:
    recipe = {"evaluate_every": 10, "dev_examples": 50}
    study = Study.model_validate({"targets": ["tatoeba"], "intermediates": ["mnli"], "recipe": recipe})
    (with_dev,) = stages(plan(study, with_mixtures(study)), "train")
    assert with_dev.identity["dev"] == {"en": "mnli/dev/en"} and with_dev.identity["metric"] == "accuracy"
    (without,) = stages(plan(study, replace(with_mixtures(study), offers=lambda *_: False)), "train")
    assert without.identity["dev"] == {"en": {"held_out": 50, "of": "mnli/train/en"}}
    same = replace(with_mixtures(study), split=lambda task, _, language: SplitFacts(f"{task.name}/{language}", 9, 9))
    (measured,) = stages(plan(study, same), "train")
    assert "held_out" in measured.identity["dev"]["en"], "a dev split that is measured is no dev split"


def test_stopping_on_another_language_is_said_in_the_plan_and_needs_rows_in_it() -> None:
    recipe = {"evaluate_every": 10, "dev_languages": ["en", "sw"]}
    study = Study.model_validate({"targets": ["tatoeba"], "intermediates": ["mnli"], "recipe": recipe})
    (stage,) = stages(plan(study, with_mixtures(study)), "train")
    assert set(stage.identity["dev"]) == {"en", "sw"}
    assert stage.hints["tuned_on"] == ["sw"]
    with pytest.raises(SpecError, match="dev_languages: mnli has no dev rows in sw"):
        plan(study, replace(with_mixtures(study), offers=lambda _, split, language: language == "en"))


def test_a_head_is_kept_only_where_it_fits_and_the_title_says_so() -> None:
    keep = {"overrides": {"mnli": {"head": "keep"}}, "targets": ["tatoeba"]}
    study = Study.model_validate({**keep, "intermediates": ["qqp > mnli"]})
    _, second = stages(plan(study, with_mixtures(study)), "train")
    assert "mnli (keeps its head)" in second.title
    labelled = replace(FACTS, task=lambda name: replace(made_up_task(name), labels=("a", name)))
    with pytest.raises(SpecError, match="mnli cannot go on with the head of the stage before"):
        plan(study, labelled)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"intermediates": ["mnli+mnli"]}, "names a task twice"),
        ({"intermediates": ["mnli+"]}, "is not a mixture"),
        ({"intermediates": ["mix"], "mixtures": {"mix": {"tasks": ["mnli", "tatoeba"]}}}, "no training data"),
        ({"intermediates": ["mix"], "mixtures": MIXED, "overrides": {"qqp": {"head": "keep"}}}, "fresh heads"),
    ],
)
def test_a_mixture_that_cannot_be_trained_is_refused(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        trained(**fields)


def test_heads_are_shared_only_by_tasks_that_are_alike() -> None:
    study = Study.model_validate(
        {"targets": ["tatoeba"], "intermediates": ["mix"], "mixtures": {"mix": {**MIXED["mix"], "heads": "shared"}}}
    )
    labelled = replace(with_mixtures(study), task=lambda name: replace(made_up_task(name), labels=("a", name)))
    with pytest.raises(SpecError, match="mnli, qqp cannot share a head"):
        plan(study, labelled)


def test_a_mixture_that_is_measured_as_it_is_uses_the_head_of_the_task() -> None:
    study = Study.model_validate(
        {"targets": ["mnli"], "intermediates": ["mix"], "mixtures": MIXED, "train_on": {"mnli": []}}
    )
    (predict,) = stages(plan(study, with_mixtures(study)), "predict")
    assert predict.identity["head"] == "mnli"


def test_the_papers_own_study_is_built_in_and_shares_what_can_be_shared() -> None:
    study = load_study("paper")
    facts = replace(
        FACTS, task=task, suite=members_of, mixture=lambda name: mixture_of(name, {**MIXTURES, **study.mixtures})
    )
    made = plan(study, facts)
    trained = stages(made, "train")
    first = [stage for stage in trained if made.stages[stage.inputs["model"]].function == "model"]
    targets = {"xnli", "pawsx", "udpos", "panx", "squad", "tydiqa"}  # XQuAD and MLQA are measured on one model
    before = set(study.intermediates) - {NONE}
    # as target stages, mnli and squad have other epochs than as intermediate ones: none of these is shared
    assert len(first) == 3 * (len(before) + len(targets))
    assert len(trained) == 3 * (len(before) + (len(before) + 1) * len(targets))
    squad = next(
        stage for stage in first if "> squad, seed 1" in stage.title and stage.identity["recipe"]["epochs"] == 2
    )
    assert squad.identity["recipe"] == {
        "epochs": 2.0, "batch_size": 16, "max_length": 384, "precision": "bf16", "evaluate_every": 1000, "patience": 30,
        "checkpoint": "best",
    }  # fmt: skip


def test_dev_rows_that_stand_in_for_a_withheld_test_split_choose_nothing() -> None:
    study = Study.model_validate({"targets": ["xnli"], "recipe": {"evaluate_every": 10, "patience": 2}})
    dev = SplitFacts("xnli/dev", 9, 9)
    instead = replace(dev, notes=("this is the dev split",), in_part=True)
    splits = {"train": SplitFacts("xnli/train", 99, 99), "dev": dev, "test": instead}
    (stage,) = stages(plan(study, replace(with_mixtures(study), split=lambda _, split, __: splits[split])), "train")
    assert stage.identity["dev"] == {"en": {"held_out": 500, "of": "xnli/train"}}


def test_english_is_held_out_where_it_is_asked_for_beside_a_language_with_dev_rows() -> None:
    recipe = {"evaluate_every": 10, "dev_languages": ["en", "sw"], "dev_examples": 7}
    study = Study.model_validate({"targets": ["tatoeba"], "intermediates": ["mnli"], "recipe": recipe})
    facts = replace(with_mixtures(study), offers=lambda _, split, language: language == "sw")
    (stage,) = stages(plan(study, facts), "train")
    assert stage.identity["dev"] == {"en": {"held_out": 7, "of": "mnli/train/en"}, "sw": "mnli/dev/sw"}


def test_a_translation_has_the_preset_of_its_task_and_texts_the_recipe_of_their_role() -> None:
    translation = {"task": "qqp", "translator": "t", "into": ["de"]}
    stage = trained(intermediates=["qqp-mt"], translations={"qqp-mt": translation}, recipe="paper")
    assert stage.identity["recipe"] == trained(intermediates=["qqp"], recipe="paper").identity["recipe"]
    mlm = {"tasks": ["xnli"], "split": "dev", "languages": ["sw"]}
    study = Study.model_validate(
        {"targets": ["xnli"], "train_on": {"xnli": ["mix"]}, "overrides": {"target": {"batch_size": 8}},
         "mixtures": {"mix": {**MIXED["mix"], "mlm": mlm}}}
    )  # fmt: skip
    (stage,) = stages(plan(study, with_mixtures(study)), "train")
    assert all("recipe" not in member for member in stage.identity["members"])


def test_what_a_preset_says_of_stopping_can_be_taken_back() -> None:
    for recipe in ({"preset": "paper", "evaluate_every": None}, {"preset": "paper", "patience": 10}):
        study = Study(targets=["xnli"], recipe=Recipe.model_validate(recipe))
        made = recipe_for(study, Place("xnli", "target", "pair"))
        assert (made.evaluate_every, made.patience) == ((None, None) if "patience" not in recipe else (1000, 10))
    with pytest.raises(SpecError, match="patience needs evaluate_every"):
        recipe_for(Study(targets=["xnli"], recipe=Recipe(patience=3)), Place("xnli", "target"))


def test_a_mixture_that_has_no_head_for_a_target_is_not_planned() -> None:
    def labelled(name: str) -> Task:
        return replace(made_up_task(name), labels=("x",) if name == "xnli" else ("a", "b"))

    study = Study.model_validate(
        {"targets": ["xnli"], "intermediates": ["mix"], "mixtures": MIXED, "train_on": {"xnli": []}}
    )
    with pytest.raises(SpecError, match="xnli cannot be measured on what was trained on mnli, qqp"):
        plan(study, replace(with_mixtures(study), task=labelled))


def test_the_kept_study_is_the_study_though_fields_stand_at_their_defaults() -> None:
    fields = {
        "targets": ["tatoeba"],
        "recipe": {"preset": "paper", "max_length": 128, "batch_size": 32, "checkpoint": "last"},
        "retrieval": {"layer": "last", "neighbours": 4},
    }
    study = Study.model_validate(fields)
    again = parse_study(study_yaml(study), "kept")
    assert again == study
    for one, kept in ((study.recipe, again.recipe), (study.retrieval, again.retrieval)):
        assert one.model_fields_set == kept.model_fields_set
    place = Place("mnli", "intermediate", "pair")
    assert recipe_for(again, place) == recipe_for(study, place)


# -- axes


def keys_by_chain(made: Plan) -> dict[str, tuple[str, str | None]]:
    return {str(planned.chain): (planned.model, planned.score) for planned in made.chains}


def wanted_trainings(study: Study) -> set[tuple[object, ...]]:
    """What has to be trained, reckoned without the planner: every beginning of a chain, with all that decides it."""
    found = set()
    for variant in study.recipes or ("",):
        changes = study.recipes[variant].model_dump(exclude_unset=True) if variant else {}

        def epochs(role: str, task: str, changes: dict[str, object] = changes) -> object:
            overrides = [study.overrides[place].epochs for place in (role, task) if place in study.overrides]
            said: list[object] = [study.recipe.epochs, *overrides]
            said += [changes["epochs"]] if "epochs" in changes else []
            said += [changes[place]["epochs"] for place in (role, task) if place in changes]  # type: ignore[index]
            return float(said[-1])  # type: ignore[arg-type]

        for model in study.models:
            for target in study.targets:
                for seed in study.target_seeds.get(target, study.seeds):
                    for intermediate in study.intermediates:
                        for size in (study.sizes or ("all",)) if intermediate != NONE else ("all",):
                            path: tuple[object, ...] = (model, seed)
                            steps = [] if intermediate == NONE else intermediate.split(">")
                            for step in steps:
                                name, _, own = step.partition("@")
                                rows = own or size
                                rows = "all" if rows == "all" or int(rows) >= 100 else int(rows)
                                path = (*path, (name, rows, epochs("intermediate", name)))
                                found.add(path)
                            if target in PAPER_TRAINED_TARGETS:
                                found.add((*path, (target, "all", epochs("target", target))))
    return found


some_tasks = st.sampled_from(["mnli", "qqp", "ccg"])
steps = st.builds(lambda name, size: name + size, some_tasks, st.sampled_from(["", "", "@20", "@500", "@all"]))
variants = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.fixed_dictionaries(
        {},
        optional={
            "epochs": st.integers(1, 3),
            "target": st.fixed_dictionaries({"epochs": st.integers(1, 3)}),
            "mnli": st.fixed_dictionaries({"epochs": st.integers(1, 3)}),
        },
    ),
    max_size=2,
)
studies = st.fixed_dictionaries(
    {
        "models": st.lists(st.sampled_from("xy"), min_size=1, unique=True),
        "intermediates": st.lists(
            st.lists(steps, min_size=1, max_size=2, unique_by=lambda step: step.partition("@")[0]).map(">".join),
            max_size=3, unique=True,
        ).map(lambda names: [NONE, *names]),
        "sizes": st.lists(st.sampled_from([10, 20, 200, "all"]), max_size=3, unique=True),
        "targets": st.lists(st.sampled_from(["xnli", "panx", "tatoeba"]), min_size=1, unique=True),
        "seeds": st.lists(st.integers(0, 4), min_size=1, max_size=2, unique=True),
        "target_seeds": st.dictionaries(
            st.just("xnli"), st.lists(st.integers(0, 4), min_size=1, max_size=2, unique=True), max_size=1
        ),
        "recipes": variants,
        "overrides": st.dictionaries(
            st.sampled_from(["intermediate", "mnli"]), st.fixed_dictionaries({"epochs": st.integers(1, 3)}), max_size=2
        ),
    }
)  # fmt: skip


@settings(deadline=None, max_examples=120)
@given(fields=studies, order=st.randoms(use_true_random=False))
def test_a_plan_is_minimal_whatever_its_axes(fields: dict[str, object], order: Random) -> None:
    if "xnli" not in fields["targets"]:  # type: ignore[operator]
        fields = {**fields, "target_seeds": {}}
    study = Study.model_validate(fields)
    made = plan(study, FACTS)
    assert len(stages(made, "train")) == len(wanted_trainings(study))
    assert len({(stage.function, *map(str, (stage.identity, stage.inputs))) for stage in made.stages.values()}) == len(
        made.stages
    )
    assert closure(made, made.chains) == set(made.stages), "every stage is needed by some chain"
    assert len(set(made.chains)) == len(made.chains)
    shuffled = {
        name: order.sample(value, len(value))
        if isinstance(value, list)
        else dict(order.sample(sorted(value.items()), len(value)))  # type: ignore[attr-defined]
        for name, value in fields.items()
    }
    again = plan(Study.model_validate(shuffled), FACTS)
    assert keys_by_chain(again) == keys_by_chain(made), "keys do not depend on the order of axes"
    assert set(again.stages) == set(made.stages)


def titles(**fields: object) -> list[str]:
    study = Study.model_validate({"targets": ["tatoeba"], **fields})
    return [stage.title for stage in stages(plan(study, with_mixtures(study)), "train")]


def test_none_has_no_size_and_stands_once() -> None:
    study = Study(intermediates=["none", "mnli", "qqp@7"], sizes=[10, "all"], targets=["tatoeba"])
    assert study.arms == ("none", "mnli@10", "mnli", "qqp@7")
    made = plan(study, FACTS)
    assert [planned.chain.intermediate for planned in made.chains] == list(study.arms)


def test_a_size_that_is_larger_than_the_data_is_all_of_it() -> None:
    assert titles(intermediates=["mnli"], sizes=[100, 5000, "all"]) == ["train embedded > mnli@100, seed 1"]
    limited = {"recipe": {"train_examples": 500}}  # more than there are, in words of the recipe
    assert len(titles(intermediates=["mnli"], sizes=[100, "all"], **limited)) == 1
    assert len(titles(intermediates=["mnli"], sizes=[50, 100, "all"], recipe={"train_examples": 60})) == 3
    mixed = {"intermediates": ["mix"], "mixtures": MIXED}
    assert len(titles(**mixed, sizes=[10, 100, 5000, "all"])) == 2
    translation = {"task": "mnli", "translator": "t", "into": ["de"]}
    translated = {"intermediates": ["mt"], "translations": {"mt": translation}}
    assert len(titles(**translated, sizes=[10, 100, 5000, "all"])) == 2


def test_a_size_is_of_each_task_of_a_mixture_and_of_each_step() -> None:
    stage = trained(intermediates=["mnli+qqp@30"])
    assert [member["recipe"] for member in stage.identity["members"]] == [{"train_examples": 30}] * 2
    assert titles(intermediates=[["mnli", "qqp"]], sizes=[30]) == [
        "train embedded > mnli@30, seed 1",
        "train embedded > mnli@30 > qqp@30, seed 1",
    ]
    with pytest.raises(SpecError, match=r"as in mnli\+qqp@1000; for mnli alone set overrides.mnli.train_examples"):
        trained(intermediates=["mnli@30+qqp"])


def test_what_a_target_is_trained_on_may_have_a_size() -> None:
    study = Study(targets=["xnli"], train_on={"xnli": ["mnli@40"]})
    (stage,) = stages(plan(study, FACTS), "train")
    assert stage.identity["recipe"] == {"train_examples": 40} and stage.hints["task"] == "mnli"


def test_a_recipe_of_the_axis_comes_before_all_that_the_study_says() -> None:
    study = Study.model_validate(
        {
            "targets": ["xnli"],
            "recipe": {"epochs": 1, "batch_size": 8},
            "overrides": {"target": {"epochs": 2}, "xnli": {"epochs": 3, "max_length": 64}},
            "recipes": {"plain": {}, "long": {"epochs": 9}, "target": {"target": {"epochs": 8}}, "paper": "paper"},
        }
    )
    found = {name: recipe_for(study, Place("xnli", "target", "pair"), {}, name) for name in study.recipes}
    assert [found[name].epochs for name in study.recipes] == [3, 9, 8, 3], "a role before what is said of the task"
    assert {recipe.batch_size for recipe in found.values()} == {8}
    assert found["paper"].evaluate_every == 1000 and found["paper"].max_length == 64
    made = plan(study, FACTS)
    assert [planned.chain.recipe for planned in made.chains] == list(study.recipes)
    assert len({planned.model for planned in made.chains}) == 4


def test_recipes_that_say_the_same_share_their_stages() -> None:
    recipes = {"a": {}, "b": {"epochs": 3}, "c": {"mnli": {"epochs": 1}}}
    study = Study.model_validate({"targets": ["xnli"], "recipes": recipes})
    made = plan(study, FACTS)
    assert len(made.chains) == 3 and len(stages(made, "train")) == 1


def test_a_suite_has_the_seeds_and_rows_of_its_tasks_but_for_those_named() -> None:
    study = Study(
        targets=["small"],
        seeds=[1],
        target_seeds={"small": [1, 2], "mlqa": [3]},
        test_examples={"small": 9, "tatoeba": 4},
    )
    made = plan(study, SUITE_FACTS)
    seeds: dict[str, list[int]] = {}
    for planned in made.chains:
        seeds.setdefault(planned.chain.target, []).append(planned.chain.seed)
    assert seeds == {"xquad": [1, 2], "mlqa": [3], "tatoeba": [1, 2]}
    limits = {stage.hints["task"]: stage.identity["limit"] for stage in stages(made, "predict")}
    assert limits == {"xquad": 9, "mlqa": 9, "tatoeba": 4}


@pytest.mark.parametrize("field", ["target_seeds", "test_examples"])
@pytest.mark.parametrize("name", ["xnly", "small"])
def test_seeds_and_rows_are_of_targets_alone(field: str, name: str) -> None:
    with pytest.raises(SpecError, match=rf"{field}\.{name}: the study does not measure such a task: (did you|known)"):
        plan(Study.model_validate({"targets": ["xnli"], field: {name: 3}}), SUITE_FACTS)


def test_targets_without_a_number_of_their_own_are_measured_on_all_rows() -> None:
    made = plan(Study(targets=["xnli", "panx"], test_examples={"xnli": 3}), FACTS)
    limits = {stage.hints["task"]: stage.identity.get("limit") for stage in stages(made, "predict")}
    assert limits == {"xnli": 3, "panx": None}


def test_a_task_that_stands_in_two_suites_is_measured_once() -> None:
    suites = {**SUITE, "again": {"mlqa": ("sw",)}}
    made = plan(Study(targets=["small", "again"]), replace(SUITE_FACTS, suite=suites.get))
    assert [planned.chain.target for planned in made.chains] == ["xquad", "mlqa", "tatoeba"]
