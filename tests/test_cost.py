"""What a plan is expected to take: tokens and steps of a stage, corrections by records, the time until all is done."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.data.catalog import SplitFacts
from isthmus.data.schema import Kind
from isthmus.planning.cost import Corrections, Fit, estimates, estimates_and_error, fit
from isthmus.planning.forecast import alone, closure, schedule, sharing, smaller
from isthmus.planning.plan import Facts, ModelSource, Plan, plan
from isthmus.planning.rates import Rates, calibrations, keep, machine, path_of, rates_of
from isthmus.stage import Record, Settings, Stage
from isthmus.store import Store
from isthmus.study.spec import NONE, Study
from isthmus.tasks.core import Task

KINDS = {"squad": Kind.SPAN, "copa": Kind.CHOICE, "tatoeba": Kind.BITEXT}


def task(name: str) -> Task:
    kind = KINDS.get(name, Kind.PAIR)
    trains = None if kind is Kind.BITEXT else "en"
    return Task(name, kind, "", ("en", "sw"), "accuracy", None, "CC0", "annotated", trains)  # type: ignore[arg-type]


def facts(rows: int = 1000, characters: int = 100) -> Facts:
    return Facts(
        task=task,
        model=lambda name: ModelSource(name, {"folder": name}),
        split=lambda of, split, language: SplitFacts(f"{of.name}/{split}/{language}", rows, rows * characters),
        languages=lambda _, of: of.languages,
    )


RATES = Rates(
    machine(), 6e-10, 2e-10, 3e-9, {"model": 4, "translate": 5, "train": 3, "predict": 2, "score": 0.5}, 10**8
)
ONE = Settings(threads=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of a machine that was calibrated: all estimates are exact functions of the plan."""
    store = Store.open(tmp_path / "store")
    keep(store, RATES, ONE, {})
    return store


def expected(fields: Mapping[str, Any], store: Store, of: Facts | None = None, function: str = "train") -> float:
    """Seconds of the last stage of that function."""
    planned = plan(Study.model_validate({"targets": ["xnli"], **fields}), of or facts())
    costs = estimates(planned, store, ONE)
    return [costs[key].seconds for key, stage in planned.stages.items() if stage.function == function][-1]


def test_a_training_takes_its_tokens_its_steps_and_what_every_stage_takes(store: Store) -> None:
    tokens, steps, body = 3 * 1000 * (100 / 3.5 + 2), 3 * 1000 / 32, 85_000_000
    parameters = body + 250_002 * 768
    overhead = 1 + 2 * parameters / 10**8
    whole = overhead + tokens * body * 6e-10 + steps * (body + 4_000 * 768) * 3e-9
    assert expected({}, store) == pytest.approx(whole)


@pytest.mark.parametrize(
    ("fields", "less"),
    [
        ({"recipe": {"epochs": 1}}, 3),
        ({"recipe": {"train_examples": 100}}, 10),
        ({"recipe": {"steps": 10, "batch_size": 30}}, 10),
        ({"recipe": {"max_length": 15}}, 2),
    ],
)
def test_less_to_train_takes_less(store: Store, fields: dict[str, Any], less: float) -> None:
    overhead = expected({"recipe": {"train_examples": 1, "steps": 1, "batch_size": 1}}, store)
    assert (expected({}, store) - overhead) / (expected(fields, store) - overhead) == pytest.approx(less, rel=0.1)


def test_frozen_layers_need_no_pass_back_and_frozen_embeddings_are_not_written(store: Store) -> None:
    assert expected({"recipe": {"freeze_layers": 12}}, store) < 0.4 * expected({}, store)
    planned = [plan(Study(targets=["xnli"], recipe={"freeze_embeddings": frozen}), facts()) for frozen in (True, False)]
    sizes = [max(cost.bytes for key, cost in estimates(each, store, ONE).items() if "train" in key) for each in planned]
    assert sizes[1] - sizes[0] == 4 * 250_002 * 768


def test_long_contexts_are_several_windows_and_choices_several_inputs(store: Store) -> None:
    long = facts(characters=3500)
    span = expected({"targets": ["squad"], "recipe": {"max_length": 384}}, store, long)
    cut = expected({"recipe": {"max_length": 384}}, store, long)
    assert span / cut == pytest.approx(2240 / 384, rel=0.05), "1,000 tokens in windows of 384 that are 128 apart"
    assert expected({"targets": ["copa"]}, store) > 2.5 * expected({}, store)


def test_a_limit_is_of_test_rows(store: Store) -> None:
    few = expected({"targets": ["tatoeba"], "test_examples": 10}, store, function="predict")
    more = expected({"targets": ["tatoeba"], "test_examples": 110}, store, function="predict")
    tokens = 2 * 100 * (100 / 3.5 + 2)
    assert more - few == pytest.approx(tokens * 85_000_000 * 2e-10)


def record(stage: Stage, seconds: float, how: Settings = ONE) -> Record:
    settings = {"threads": how.threads, "device": how.device, "processes": how.processes}
    named = (stage.key, stage.title, stage.function, 1, stage.identity, stage.inputs)
    return Record(*named, settings, "", seconds, 0, {}, machine(), (), {}, {})


def finish(store: Store, records: list[Record]) -> None:
    for each in records:
        (store.work_folder(each.key) / "output").mkdir(parents=True)
        store.publish(each, {})


def test_finished_stages_correct_the_others_the_more_the_more_alike_they_are(store: Store) -> None:
    planned = plan(Study(targets=["xnli", "squad"], seeds=[1, 2]), facts())
    before = estimates(planned, store, ONE)
    named = {key: stage.title for key, stage in planned.stages.items() if stage.function == "train"}
    xnli, other = ([key for key in named if f"> {name}," in named[key]] for name in ("xnli", "squad"))
    finish(store, [record(planned.stages[xnli[0]], 3 * before[xnli[0]].seconds)])
    after, found = estimates_and_error(planned, store, ONE)
    ratios = [after[key].seconds / before[key].seconds for key in (xnli[0], xnli[1], other[0])]
    assert ratios[0] == pytest.approx(3)
    assert ratios[0] > ratios[1] > ratios[2] > 1.5
    assert found is not None and found.expected / found.seconds == pytest.approx(1 / 3)
    assert (
        after[next(key for key in planned.stages if "predict" in key)]
        == before[next(key for key in planned.stages if "predict" in key)]
    ), "predictions are not trainings"


def test_stages_that_ran_otherwise_correct_nothing(store: Store) -> None:
    planned = plan(Study(targets=["xnli"], seeds=[1, 2]), facts())
    before = estimates(planned, store, ONE)
    key, later = (key for key in planned.stages if key.startswith("train"))
    finish(store, [record(planned.stages[key], 1000.0, Settings(threads=8))])
    assert estimates(planned, store, ONE)[later] == before[later]


@given(factor=st.floats(0.1, 10), count=st.integers(1, 40))
def test_many_records_that_agree_are_believed(factor: float, count: int) -> None:
    corrections, stage = Corrections(), Stage("train", {"kind": "pair", "seed": 1, "recipe": {}})
    for seed in range(count):
        corrections.add(replace(stage, identity={**stage.identity, "seed": seed}), 10 * factor, 10)
    assert min(1, factor) <= corrections.factor(stage) <= max(1, factor)
    assert abs(corrections.factor(stage) - factor) <= abs(1 - factor) * (0.5 / (count + 0.5)) ** 3 + 1e-9


def test_how_near_estimates_are() -> None:
    assert fit([]) is None
    assert fit([(2.0, 1.0)]) == Fit(1, 2.0, 1.0, 1.0)
    found = fit([(1.0, 2.0), (10.0, 5.0)])
    assert found is not None and (found.seconds, found.expected) == (11.0, 7.0) and found.spread > 2


def test_a_calibration_is_of_its_threads_and_its_device(store: Store) -> None:
    assert rates_of(store, ONE) == RATES
    assert rates_of(store, Settings(threads=2)).train == RATES.train / 2
    assert rates_of(store, Settings(threads=1, device="cuda")).measured == ""
    keep(store, replace(RATES, train=1.0), ONE, {})
    assert rates_of(store, ONE).train == 1.0 and len(calibrations(store)) == 1
    path_of(store).write_text("[{]")
    assert rates_of(store, ONE).measured == "", "a broken file is none"


# -- the time until all is done


def made_up(targets: int, seeds: int) -> Plan:
    return plan(
        Study(intermediates=[NONE, "a", "b"], targets=[f"t{n}" for n in range(targets)], seeds=list(range(seeds))),
        facts(),
    )


@settings(deadline=None, max_examples=60)
@given(data=st.data(), workers=st.integers(1, 5))
def test_a_schedule_is_one_that_workers_can_keep(data: st.DataObject, workers: int) -> None:
    planned = made_up(3, 2)
    done = data.draw(st.sets(st.sampled_from([key for key in planned.stages if key.startswith(("model", "train"))])))
    seconds = {key: data.draw(st.floats(0.1, 50)) for key in planned.stages if key not in done}
    ends = schedule(planned, seconds, workers)
    begins = {key: end - seconds[key] for key, end in ends.items()}
    assert ends.keys() == seconds.keys()
    for key, begin in begins.items():
        assert all(ends.get(need, 0.0) <= begin + 1e-9 for need in planned.needs(key))
        assert sum(begins[other] <= begin + 1e-9 < ends[other] - 1e-9 for other in begins) <= workers
    longest = max(ends.values())
    assert sum(seconds.values()) / workers <= longest + 1e-6
    assert longest <= sum(seconds.values()) + 1e-6
    paths: dict[str, float] = {}
    for key in planned.stages:
        paths[key] = seconds.get(key, 0.0) + max((paths[need] for need in planned.needs(key)), default=0.0)
    assert max(paths.values()) <= longest + 1e-6, "a chain takes what its stages take, however many workers there are"
    assert longest <= sum(seconds.values()) / workers + max(paths.values()) + 1e-6, "Graham's bound"


def test_a_chain_does_not_get_shorter_with_more_workers() -> None:
    planned = made_up(1, 1)
    seconds = dict.fromkeys(planned.stages, 1.0)
    assert max(schedule(planned, seconds, 100).values()) == 5.0  # model, train, train, predict, score
    assert max(schedule(planned, seconds, 1).values()) == len(planned.stages)


def test_what_axes_share() -> None:
    planned = made_up(4, 1)
    shared = {each.axis: (each.values, each.apart) for each in sharing(planned)}
    whole = 1 + 2 + 12 + 24  # model, trainings before, trainings for targets, predictions and scores
    assert len(planned.stages) == whole
    assert shared == {"intermediates": (3, whole + 2), "targets": (4, 4 * (1 + 2 + 3 + 6))}
    assert alone(planned) == 4 * (4 + 5 + 5)
    assert closure(planned, planned.chains[:1]) < set(planned.stages)


def test_seeds_are_dropped_first_then_sizes_then_intermediates() -> None:
    study = Study(
        intermediates=[NONE, "a", "b", "c"],
        sizes=[10, "all", 20],
        targets=["t"],
        seeds=[7, 8, 9],
        target_seeds={"t": [7, 8]},
    )
    planned = plan(study, facts())
    seconds = dict.fromkeys(planned.stages, 1.0)
    whole = len(planned.stages)
    offers = [smaller(planned, seconds, 1, limit) for limit in range(whole - 1, 0, -1)]
    changes = list(dict.fromkeys(offer.changes for offer in offers if offer))
    assert changes[0] == ("seeds=[7]", 'target_seeds."t"=[7]')
    assert changes[1] == (*changes[0], "sizes=[10, 20]") and changes[2] == (*changes[0], "sizes=[10]")
    assert changes[-1] == (*changes[0], "sizes=[10]", "intermediates=[none, a]")
    assert offers[-1] is None
    for offer in filter(None, offers):
        from isthmus.api import study_yaml
        from isthmus.study.file import parse_study

        again = plan(parse_study(study_yaml(study), "s", offer.changes), facts())
        assert len(again.chains) == offer.chains and len(again.stages) == offer.seconds, "as if it had been planned so"
