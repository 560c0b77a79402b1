"""The store keeps what is finished, notices what was altered, and lets one process at a time have a stage."""

import errno
import fcntl
import json
import multiprocessing
import os
from pathlib import Path
from typing import IO, cast

import pytest

from isthmus.errors import StoreError
from isthmus.running.execute import Context, Outcome, execute
from isthmus.stage import Record, Settings, Stage, read_stage
from isthmus.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def publish(store: Store, name: str = "a", content: bytes = b"x" * 1000) -> str:
    """Finish a stage that leaves one file behind."""
    stage = Stage("score", {"metric": name}, {}, f"stage {name}")
    output = store.work_folder(stage.key) / "output"
    output.mkdir(parents=True)
    (output / "result.bin").write_bytes(content)
    record = Record(
        stage.key,
        stage.title,
        "score",
        1,
        stage.identity,
        {},
        {},
        "2026-01-01T00:00:00+00:00",
        1.0,
        1,
        {},
        "",
        (),
        {},
        {},
    )
    store.publish(record, {})
    return stage.key


def test_a_published_stage_is_finished_and_undamaged(store: Store) -> None:
    key = publish(store)
    record = store.record(key)
    assert record is not None
    assert record.files["result.bin"].size == 1000
    assert store.finished() == [key]
    assert store.damage(key, thorough=True) == []
    assert not store.work_folder(key).exists()


def test_a_truncated_file_is_noticed_without_reading_it(store: Store) -> None:
    key = publish(store)
    os.truncate(store.stage_folder(key) / "result.bin", 10)
    assert str(store.damage(key)[0]) == f"{key}: result.bin has 10 bytes instead of 1000"


def test_a_byte_changed_in_place_is_noticed_and_even_with_its_time_put_back_by_verify(store: Store) -> None:
    key = publish(store)
    path = store.stage_folder(key) / "result.bin"
    before = path.stat()
    path.write_bytes(b"y" + b"x" * 999)
    assert "other content" in str(store.damage(key)[0])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.damage(key) == []
    assert [name for name, damage in store.verify() if damage] == [key]


def test_a_missing_file_and_a_missing_record_are_noticed(store: Store) -> None:
    first, second = publish(store, "a"), publish(store, "b")
    (store.stage_folder(first) / "result.bin").unlink()
    (store.stage_folder(second) / "record.json").write_text("{")
    assert "result.bin is missing" in str(store.damage(first)[0])
    assert "record.json" in str(store.damage(second)[0])
    assert store.record(second) is None


def test_a_damaged_stage_is_set_aside_not_deleted(store: Store) -> None:
    key = publish(store)
    store.set_aside(key)
    assert store.record(key) is None
    assert (store.root / "damaged" / f"{key}.0" / "result.bin").exists()
    store.set_aside(key)  # another run was first: nothing to do
    assert publish(store) == key


def test_only_one_process_has_a_stage(store: Store) -> None:
    with store.claim("score-x") as mine, store.claim("score-x") as yours:
        assert (mine, yours) == (True, False)
        assert store.running("score-x")
    assert not store.running("score-x")


def hold_and_die(root: str) -> None:
    with Store(Path(root)).claim("score-x"):
        os._exit(9)


def test_a_claim_ends_with_its_process(store: Store) -> None:
    process = multiprocessing.get_context("spawn").Process(target=hold_and_die, args=(str(store.root),))
    process.start()
    process.join()
    assert process.exitcode == 9
    with store.claim("score-x") as mine:
        assert mine


def test_a_lock_that_can_only_be_read_tells_whether_it_is_held(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(path: Path, mode: str = "r") -> IO[str]:
        if mode != "r":
            raise OSError(errno.EROFS, "Read-only file system")
        return cast("IO[str]", open(path))  # noqa: PTH123

    with store.claim("score-x"), store.in_use():
        monkeypatch.setattr(Path, "open", read_only)
        assert store.running("score-x") and store.is_in_use() and not store.running("score-y")
    assert not store.running("score-x") and not store.is_in_use()

    def no_lock(*_: object) -> None:
        raise OSError(errno.EBADF, "a file that is open for reading is not locked alone over a network")

    monkeypatch.setattr(fcntl, "flock", no_lock)
    assert not store.is_in_use(), "it cannot be told"


def test_a_folder_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(StoreError, match="not an Isthmus store and not empty"):
        Store.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        Store.open(tmp_path / "file")


def test_a_finished_stage_is_not_executed_again(store: Store) -> None:
    key = publish(store)
    stage = Stage("score", {"metric": "a"}, {}, "stage a")
    assert stage.key == key
    assert execute(store, stage, Settings()) is Outcome.ALREADY


def test_a_stage_that_another_process_has_is_left_alone(store: Store) -> None:
    stage = Stage("score", {"metric": "a"})
    with store.claim(stage.key):
        assert execute(store, stage, Settings()) is Outcome.BUSY


def test_a_stage_file_whose_fields_were_changed_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "stage.json"
    data = Stage("score", {"metric": "a"}).to_json(Settings())
    path.write_text(json.dumps(data))
    assert read_stage(path)[0].identity == {"metric": "a"}
    path.write_text(json.dumps({**data, "identity": {"metric": "b"}}))
    with pytest.raises(StoreError, match="its fields give"):
        read_stage(path)
    for broken in ("", "[]", "{}", '{"function": 1}'):
        path.write_text(broken)
        with pytest.raises(StoreError, match="is not a stage file"):
            read_stage(path)


def test_a_full_disk_is_one_sentence_and_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = publish(store, "kept")

    def no_space(context: Context) -> dict[str, object]:
        (context.output / "half").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("isthmus.evaluate.score.run", no_space)
    stage = Stage("score", {"metric": "full"})
    with pytest.raises(StoreError, match="is full: free some space and run the same command again"):
        execute(store, stage, Settings())
    assert store.finished() == [kept]
    assert store.record(stage.key) is None
