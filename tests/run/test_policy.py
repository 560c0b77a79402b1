"""What a run does when stages fail, hang, lose their machine, or another run has them; and when it is asked to stop."""

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from isthmus.commands.progress import tried_again
from isthmus.data.catalog import SplitFacts
from isthmus.engines import Ended
from isthmus.errors import StoreError
from isthmus.model.sources import find_model
from isthmus.planning.plan import Plan
from isthmus.running import runner
from isthmus.running.attempts import Attempt, attempts_of, is_mark, keep_attempt, now, parts_of
from isthmus.running.execute import execute
from isthmus.running.runner import MOST_LOST, Policy, State, Walk, Watcher, run_plan, states_of
from isthmus.stage import Settings, Stage
from isthmus.store import Store
from tests.run.scripted import Act, Notes, ScriptedEngine, fails, hangs, kept, key_of, killed, lost, plan_of, publish

#: a grows into b and c, and c into d; e stands alone
PLAN = plan_of(("a", ""), ("b", "a"), ("c", "a"), ("d", "c"), ("e", ""))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(runner, "_POLL", 0.01)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def run(
    store: Store, script: dict[str, list[Act]], policy: Policy, plan: Plan = PLAN
) -> tuple[Walk, ScriptedEngine, Notes]:
    engine, notes = ScriptedEngine(store, script), Notes()
    return run_plan(plan, store, engine, Settings(), notes, policy), engine, notes


def states(walk: Walk) -> dict[str, str]:
    return {walk.plan.stages[key].title: str(state) for key, state in walk.states.items()}


def test_each_stage_is_run_once_after_those_it_builds_on(store: Store) -> None:
    walk, engine, _ = run(store, {}, Policy())
    assert set(walk.states.values()) == {State.DONE}
    assert sorted(engine.started) == ["a", "b", "c", "d", "e"]
    order = {name: place for place, name in enumerate(engine.started)}
    assert order["a"] < min(order["b"], order["c"]) and order["c"] < order["d"]
    assert run(store, {}, Policy())[1].started == []


@pytest.mark.parametrize("how", [fails(1), killed], ids=["fails", "killed"])
def test_a_failed_stage_is_tried_again_as_often_as_asked_and_is_then_as_any_other(store: Store, how: Act) -> None:
    walk, engine, notes = run(store, {"c": [how, how]}, Policy(retries=2))
    assert set(walk.states.values()) == {State.DONE} and walk.errors == {}
    assert engine.started.count("c") == 3 and len(engine.started) == 7
    assert [told.split(",")[0] for told in notes.told] == ["c: failed", "c: failed"]
    assert len(walk.attempts[key_of(PLAN, "c")]) == 2


def test_once_it_is_given_up_only_what_builds_on_it_is_skipped(store: Store) -> None:
    walk, engine, _ = run(store, {"c": [fails(1, "The loss is no number.")] * 9}, Policy(retries=2))
    assert states(walk) == {"a": "done", "b": "done", "c": "failed", "d": "skipped", "e": "done"}
    key = key_of(PLAN, "c")
    assert engine.started.count("c") == 3
    assert walk.errors == {key: "The loss is no number. (tried 3 times)"}
    assert kept(store.work_folder(key)) == ["The loss is no number."] * 3
    assert {PLAN.stages[each].title: str(state) for each, state in states_of(PLAN, store).items()} == states(walk)
    again, engine, _ = run(store, {}, Policy())
    assert set(again.states.values()) == {State.DONE} and engine.started == ["c", "d"]


def test_a_fault_of_the_user_is_not_tried_again(store: Store) -> None:
    walk, engine, notes = run(store, {"a": [fails(2, "freeze_layers is 9.")]}, Policy(retries=5))
    assert states(walk) == {"a": "failed", "b": "skipped", "c": "skipped", "d": "skipped", "e": "done"}
    assert engine.started.count("a") == 1 and notes.told == []
    assert walk.codes[key_of(PLAN, "a")] == 2


def test_memory_that_ran_out_is_tried_again_though_the_user_can_mend_it(store: Store) -> None:
    walk, engine, _ = run(store, {"a": [fails(2, "Memory ran out (x): lower --workers.")]}, Policy(retries=1))
    assert set(walk.states.values()) == {State.DONE} and engine.started.count("a") == 2


def test_a_stage_that_was_killed_and_given_up_has_failed_for_others_too_with_what_to_do(store: Store) -> None:
    walk, _, _ = run(store, {"a": [killed]}, Policy(retries=0))
    key = key_of(PLAN, "a")
    assert walk.errors[key].startswith("its process was ended by SIGKILL (the system may have run out of memory: ")
    assert "--workers" in walk.errors[key] and "--micro-batch" in walk.errors[key]
    assert states_of(PLAN, store)[key] is State.FAILED


def test_a_lost_machine_does_not_count_but_not_for_ever(store: Store) -> None:
    walk, engine, notes = run(store, {"a": [lost] * 5}, Policy(retries=0))
    assert set(walk.states.values()) == {State.DONE} and engine.started.count("a") == 6
    assert notes.told == ["a: lost, its node went away"] * 5
    other = plan_of(("x", ""))
    walk, engine, _ = run(store, {"x": [lost] * 1000}, Policy(retries=0), other)
    assert engine.started.count("x") == MOST_LOST + 1
    assert walk.errors[key_of(other, "x")] == f"its node went away; that was so {MOST_LOST + 1} times"


def test_a_stage_asked_to_stop_by_someone_else_is_begun_again(store: Store) -> None:
    def stopped(_store: Store, stage: Stage, _file: Path) -> Ended:
        return Ended(stage.key, 130)

    walk, engine, _ = run(store, {"a": [stopped]}, Policy(retries=0))
    assert set(walk.states.values()) == {State.DONE} and engine.started.count("a") == 2


def test_an_attempt_that_takes_too_long_is_cancelled_and_counts_as_failed(store: Store) -> None:
    walk, engine, notes = run(store, {"c": [hangs]}, Policy(retries=1, timeout=0.15))
    key = key_of(PLAN, "c")
    assert set(walk.states.values()) == {State.DONE}
    assert engine.cancelled == [key] and engine.started.count("c") == 2
    assert notes.told == ["c: failed, it took longer than the 0.15 seconds that an attempt may take"]
    walk, _, _ = run(store, {"y": [hangs]}, Policy(retries=0, timeout=0.15), other := plan_of(("y", ""), ("z", "y")))
    assert walk.errors == {key_of(other, "y"): "it took longer than the 0.15 seconds that an attempt may take"}


def test_time_in_a_queue_is_no_time_of_the_attempt(store: Store) -> None:
    """A stage that no process has begun is not cancelled, however long ago it was handed out."""
    plan = plan_of(("q", ""))

    class Queue(ScriptedEngine):
        """Begins what it is given after twice the time that an attempt may take."""

        def start(self, key: str, stage_file: Path, log: Path) -> None:
            threading.Timer(0.4, lambda: super(Queue, self).start(key, stage_file, log)).start()

    engine = Queue(store, {})
    walk = run_plan(plan, store, engine, Settings(), Watcher(), Policy(retries=0, timeout=0.2))
    assert set(walk.states.values()) == {State.DONE} and engine.cancelled == []


def test_what_the_watcher_says_of_an_attempt(store: Store) -> None:
    walk, _, _ = run(store, {"a": [fails(1), lost, fails(1)]}, Policy(retries=2))
    key = key_of(PLAN, "a")
    whole = list(walk.attempts[key])
    said = []
    for count in range(1, 4):
        walk.attempts[key] = whole[:count]
        said.append(tried_again(walk, key))
    assert said == [
        "tried again (2 of 3) a: It went wrong.",
        "started again a: its node went away",
        "tried again (3 of 3) a: It went wrong.",
    ]


def test_the_log_tells_the_attempts_apart(store: Store) -> None:
    run(store, {"a": [fails(1), killed]}, Policy(retries=1))
    log = (store.work_folder(key_of(PLAN, "a")) / "log.txt").read_text()
    assert next(line.partition("UTC: ")[2] for line in log.splitlines() if is_mark(line)) == "ended: It went wrong."
    assert log.count("UTC: ended: ") == 2
    begun = "--- 2026-01-01 00:00:0{} UTC: begun by process 1 on x\nwork\n--- 2026-01-01 00:00:09 UTC: ended: it fell\n"
    parts = list(parts_of(begun.format(1) + begun.format(2)))
    assert [len(part) for part in parts] == [3, 3]
    assert parts[0][1] == "work" and parts[1][0].endswith("00:00:02 UTC: begun by process 1 on x")


# -- beside other runs


def test_a_stage_elsewhere_whose_process_dies_is_done_here(store: Store) -> None:
    """Its lock goes with the process; nothing else says that it is gone."""
    key = key_of(PLAN, "c")
    claim = store.claim(key)
    assert claim.__enter__()
    threading.Timer(0.3, lambda: claim.__exit__(None, None, None)).start()
    walk, engine, _ = run(store, {}, Policy())
    assert set(walk.states.values()) == {State.DONE} and engine.started[-2:] == ["c", "d"]


def test_a_stage_elsewhere_that_is_finished_there_is_not_done_here(store: Store) -> None:
    key = key_of(PLAN, "c")
    file = store.root / "c.json"
    stage = PLAN.stages[key]

    class Other(Watcher):
        """Another run, which finishes the stage once this one has found it taken."""

        def changed(self, walk: Walk, of: str) -> None:
            if of == key and walk.states[of] is State.ELSEWHERE:
                claim.__exit__(None, None, None)
                publish(store, stage, file)

    file.write_text(json.dumps(stage.to_json(Settings())))
    claim = store.claim(key)
    assert claim.__enter__()
    engine = ScriptedEngine(store, {})
    walk = run_plan(PLAN, store, engine, Settings(), Other(), Policy())
    assert set(walk.states.values()) == {State.DONE}
    assert "c" not in engine.started and key not in walk.finished_here and engine.started[-1] == "d"


def test_an_altered_stage_that_another_run_makes_anew_is_left_to_it(store: Store) -> None:
    run(store, {}, Policy())
    key = key_of(PLAN, "b")
    (store.stage_folder(key) / "word.txt").write_text("another word")
    with store.claim(key):
        states = {}
        for each in PLAN.stages:
            states[each] = runner._intact(each, store, Watcher())
    assert states == {each: each != key for each in PLAN.stages}
    assert list((store.root / "damaged").iterdir()) == [] and store.has(key), "whoever holds it sets it aside"
    walk, engine, _ = run(store, {}, Policy())
    assert engine.started == ["b"] and walk.finished_here == [key]
    assert [path.name for path in (store.root / "damaged").iterdir()] == [f"{key}.0"]


@pytest.mark.parametrize("gone", ["stages", "work", "locks", "damaged", "data", "studies"])
def test_a_folder_of_the_store_that_was_deleted_is_made_again(store: Store, gone: str) -> None:
    run(store, {}, Policy())
    shutil.rmtree(store.root / gone)
    again = Store.open(store.root)
    walk, engine, _ = run(again, {}, Policy())
    assert set(walk.states.values()) == {State.DONE}
    assert len(engine.started) == (5 if gone == "stages" else 0)


def test_rows_that_are_deleted_between_planning_and_running_are_missed_in_a_sentence(store: Store) -> None:
    plan = plan_of(("a", ""), reads={"a": [SplitFacts("0" * 64, 10, 100)]})
    with pytest.raises(StoreError, match="Rows were deleted from the store"):
        run(store, {}, Policy(), plan)
    store.data_file("0" * 64).touch()
    assert set(run(store, {}, Policy(), plan)[0].states.values()) == {State.DONE}


def test_nothing_is_deleted_while_a_run_is_under_way(store: Store) -> None:
    seen: list[tuple[bool, bool]] = []

    class Look(Watcher):
        def changed(self, walk: Walk, key: str) -> None:
            with store.alone() as mine:
                seen.append((store.is_in_use(), mine))

    run_plan(PLAN, store, ScriptedEngine(store, {}), Settings(), Look(), Policy())
    assert set(seen) == {(True, False)}
    with store.alone() as mine:
        assert mine
    assert not store.is_in_use()


# -- Ctrl-C


def press(after: float) -> None:
    threading.Timer(after, lambda: os.kill(os.getpid(), signal.SIGINT)).start()


def test_ctrl_c_is_answered_at_once_and_what_ended_well_meanwhile_is_done(store: Store) -> None:
    class Saves(ScriptedEngine):
        """Asked to stop, c saves what it has and e is just finished."""

        def stop(self, patience: float) -> None:
            super().stop(patience)
            stage = PLAN.stages[key_of(PLAN, "e")]
            publish(self.store, stage, store.work_folder(stage.key) / "stage.json")

    engine, notes = Saves(store, {"c": [hangs], "e": [hangs]}), Notes()
    press(0.5)
    begun = time.monotonic()
    walk = run_plan(PLAN, store, engine, Settings(), notes, Policy())
    assert time.monotonic() - begun < 5
    assert notes.told == ["stopping"] and engine.stopped and engine.closed
    assert states(walk) == {"a": "done", "b": "done", "c": "waiting", "d": "waiting", "e": "done"}
    assert walk.interrupted and key_of(PLAN, "e") in walk.finished_here
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_ends_at_once(store: Store) -> None:
    class Slow(ScriptedEngine):
        """Takes a minute to stop."""

        def stop(self, patience: float) -> None:
            press(0.1)
            time.sleep(60)

    engine = Slow(store, {"a": [hangs]})
    press(0.3)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_plan(PLAN, store, engine, Settings(), Watcher(), Policy())
    assert time.monotonic() - begun < 10 and engine.closed
    assert not store.is_in_use()


def test_the_attempts_of_a_finished_stage_are_kept_with_it(store: Store, tiny_model: Path) -> None:
    """By the function that runs stages: the record warns of them, its result knows nothing."""
    source = find_model(str(tiny_model))
    stage = Stage("model", source.identity, title="get tiny", hints=source.hints)
    for reason, was_lost in (("it fell", False), ("its node went away", True)):
        store.work_folder(stage.key).mkdir(exist_ok=True)
        keep_attempt(store.work_folder(stage.key), Attempt(now(), 3.0, reason, was_lost))
    execute(store, stage, Settings())
    record = store.record(stage.key)
    assert record is not None
    assert record.warnings[-1] == "It failed once before it finished; the last time, it fell"
    assert [each.lost for each in attempts_of(store.stage_folder(stage.key))] == [False, True]
    assert store.damage(stage.key, thorough=True) == []
