"""What a run with a remote store brings, and what it says of what it could not bring."""

from pathlib import Path

import pytest

from isthmus.engines import Ended
from isthmus.errors import SpecError
from isthmus.remote.layout import Remote
from isthmus.remote.live import linked
from isthmus.remote.place import Place
from isthmus.running.execute import Code
from isthmus.running.runner import State, Walk, Watcher, run_plan
from isthmus.stage import Settings, Stage
from isthmus.store import Store
from tests.remote.made_up import publish as finish
from tests.remote.made_up import push
from tests.run.scripted import ScriptedEngine, plan_of, publish

PLAN = plan_of(("a", ""), ("b", "a"), ("c", "b"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "remote")


def run(store: Store, url: str, **script: object) -> Walk:
    engine = ScriptedEngine(store, {name: [act] for name, act in script.items()})  # type: ignore[list-item]
    with linked(store, url, quiet=False) as link:
        return run_plan(PLAN, link.store, engine, Settings(), link.watcher(Watcher()))


def by_another_run(store: Store, stage: Stage, file: Path) -> Ended:
    publish(store, stage, file)
    return Ended(stage.key, Code.ALREADY)


def test_a_stage_that_another_run_in_this_store_finished_is_brought(store: Store, url: str) -> None:
    assert run(store, url, b=by_another_run).count(State.DONE) == 3
    assert Remote.open(url).stages() == set(PLAN.stages)
    assert Remote.open(url).place.sizes("leases") == {}


def test_a_stage_that_was_finished_here_after_the_plan_was_made_is_brought(
    store: Store, url: str, tmp_path: Path
) -> None:
    (tmp_path / "stage.json").touch()
    publish(store, next(iter(PLAN.stages.values())), tmp_path / "stage.json")
    run(store, url)
    assert Remote.open(url).stages() == set(PLAN.stages)


@pytest.mark.parametrize("error", [RuntimeError("the client broke"), MemoryError()])
def test_what_could_not_be_brought_is_said_whatever_kept_it(
    store: Store, url: str, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise error

    with linked(store, url, quiet=False) as link, monkeypatch.context() as patch:
        patch.setattr(Place, "put", broken)
        walk = run_plan(PLAN, link.store, ScriptedEngine(store, {}), Settings(), link.watcher(Watcher()))
        leases = Remote.open(url).place.sizes("leases")  # before the end of the link, which releases all
    assert walk.count(State.DONE) == 3 and leases == {}
    told = capsys.readouterr().err
    assert "3 finished stages were not brought" in told and "run isthmus store push" in told
    assert type(error).__name__ in told and str(error) in told


def test_an_empty_address_is_no_address(store: Store) -> None:
    with pytest.raises(SpecError, match="address of the remote store is empty"), linked(store, "", quiet=True):
        pass


def test_a_stage_that_was_fetched_is_not_sent_back(
    store: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came from there is there: no byte of it moves again."""
    other = Store.open(tmp_path / "other")
    run(other, url)
    finish(other, "more", {"x": b"x"})
    push(other, url)
    sent: list[str] = []
    put = Place.put
    monkeypatch.setattr(
        Place, "put", lambda place, source, name, moved: [sent.append(name), put(place, source, name, moved)]
    )
    assert run(store, url).count(State.DONE) == 3
    assert sent == [] and sorted(store.finished()) == sorted(PLAN.stages)
