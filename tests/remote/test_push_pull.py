"""What is pushed from one store and pulled into another is the same, or is not believed."""

import hashlib
import json
import threading
import time
from pathlib import Path

import pytest

from isthmus.data.schema import Kind, fingerprint, to_table
from isthmus.remote import pull as pulling
from isthmus.remote import push as pushing
from isthmus.remote.layout import Blob, Kept, Remote
from isthmus.remote.leases import PATIENCE, Leases
from isthmus.remote.place import Place
from isthmus.stage import Record
from isthmus.store import Store
from tests.remote.made_up import publish, pull, push

BIG = bytes(range(256)) * 4096


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "here")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "elsewhere")


def record(store: Store, key: str) -> Record:
    found = store.record(key)
    assert found is not None
    return found


def test_a_store_comes_out_as_it_went_in(here: Store, elsewhere: Store, url: str) -> None:
    first = publish(here, "a", {"model/embeddings": BIG, "log.txt": b"a"})
    second = publish(here, "b", {"log.txt": b"b", "empty": b""}, link=(first, "model/embeddings"))
    pushed = push(here, url)
    assert sorted(pushed.stages) == sorted([first, second]) and not pushed.failed
    pulled = pull(elsewhere, url)
    assert sorted(pulled.stages) == sorted([first, second]) and not pulled.failed
    for key in (first, second):
        assert elsewhere.damage(key) == elsewhere.damage(key, thorough=True) == []
        mine, theirs = record(here, key), record(elsewhere, key)
        assert {name: fact.sha256 for name, fact in mine.files.items()} == {
            name: fact.sha256 for name, fact in theirs.files.items()
        }
        assert mine.to_json() | {"files": {}} == theirs.to_json() | {"files": {}}
    assert not (elsewhere.root / "incoming").exists() and not list((elsewhere.root / "work").iterdir())


def test_equal_files_move_once_and_take_room_once(here: Store, elsewhere: Store, url: str) -> None:
    first = publish(here, "a", {"embeddings": BIG})
    second = publish(here, "b", {}, link=(first, "embeddings"))
    third = publish(here, "c", {"copied": BIG})
    assert push(here, url).bytes == len(BIG)
    moved = pull(elsewhere, url)
    assert (moved.bytes, moved.whole) == (len(BIG), 3 * len(BIG))
    names = {first: "embeddings", second: "embeddings", third: "copied"}
    assert len({(elsewhere.stage_folder(key) / name).stat().st_ino for key, name in names.items()}) == 1
    publish(elsewhere, "d", {"again": BIG})
    assert push(elsewhere, url).bytes == 0


def test_what_is_on_both_sides_does_not_move(here: Store, elsewhere: Store, url: str) -> None:
    publish(here, "a", {"x": BIG})
    push(here, url)
    again = push(here, url)
    assert (again.stages, again.bytes, again.there) == ([], 0, 1)
    pull(elsewhere, url)
    again = pull(elsewhere, url)
    assert (again.stages, again.bytes, again.there) == ([], 0, 1)


def test_a_dry_run_says_the_bytes_and_moves_none(here: Store, elsewhere: Store, url: str) -> None:
    key = publish(here, "a", {"x": BIG, "y": b"yy"})
    remote = Remote.open(url, create=True)
    told = pushing.push(here, remote, pushing.everything(here, {}), dry=True)
    assert (told.stages, told.bytes, told.files) == ([key], len(BIG) + 2, 2)
    assert not remote.stages() and not remote.blobs()
    push(here, url)
    assert pulling.pull(elsewhere, remote, pulling.everything(remote), dry=True).bytes == len(BIG) + 2
    assert not elsewhere.finished()


def test_blobs_without_a_record_are_no_stage(here: Store, elsewhere: Store, url: str) -> None:
    key = publish(here, "a", {"x": BIG})
    push(here, url)
    remote = Remote.open(url)
    remote.place.delete(f"stages/{key}.json")
    assert pull(elsewhere, url).stages == [] and elsewhere.finished() == []
    again = push(here, url)
    assert (again.stages, again.bytes) == ([key], 0)  # the blobs had arrived


@pytest.mark.parametrize("harm", ["altered", "cut off", "missing"])
def test_a_harmed_blob_is_refused_and_can_be_pushed_again(here: Store, elsewhere: Store, url: str, harm: str) -> None:
    bad, good = publish(here, "a", {"x": BIG}), publish(here, "b", {"y": b"good"})
    push(here, url)
    remote = Remote.open(url)
    blob = next(blob for blob, size in remote.blobs().items() if size == len(BIG))
    name = f"blobs/{blob[:2]}/{blob}"
    if harm == "missing":
        remote.place.delete(name)
    else:
        remote.place.write(name, BIG[:-1] + b"!" if harm == "altered" else BIG[:1000])
    moved = pull(elsewhere, url)
    assert moved.stages == [good] and elsewhere.finished() == [good]
    assert "set aside" in moved.failed[bad] and blob in moved.failed[bad]
    assert blob not in remote.blobs() and remote.stages() == {good}
    assert len(remote.place.sizes("damaged")) == (1 if harm == "missing" else 2)
    assert push(here, url).stages == [bad]
    assert pull(elsewhere, url).stages == [bad] and elsewhere.damage(bad, thorough=True) == []


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"../../outside": {"size": 1, "sha256": "0" * 64, "mtime_ns": 1}}},
        {"files": {"/outside": {"size": 1, "sha256": "0" * 64, "mtime_ns": 1}}},
        {"files": {"x": {"size": 1, "sha256": "../x", "mtime_ns": 1}}},
        {"identity": {"metric": "other"}},
        {"key": "score-00000000000000000000"},
        {"files": 3},
    ],
)
def test_a_record_that_cannot_be_is_refused(
    here: Store, elsewhere: Store, url: str, change: dict[str, object], tmp_path: Path
) -> None:
    key = publish(here, "a", {"x": b"x"})
    push(here, url)
    remote = Remote.open(url)
    remote.place.write(f"stages/{key}.json", json.dumps(record(here, key).to_json() | change).encode())
    moved = pull(elsewhere, url)
    assert "not what a stage of that key leaves behind" in moved.failed[key]
    assert elsewhere.finished() == [] and remote.stages() == set()
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("name", ["..", ".hidden"])
def test_a_study_or_an_index_with_a_name_that_cannot_be_writes_nothing(
    elsewhere: Store, name: str, tmp_path: Path
) -> None:
    url = str(tmp_path / "remote")
    remote, content = Remote.open(url, create=True), b"of somebody else"
    blob = Blob(hashlib.sha256(content).hexdigest(), len(content))
    remote.place.write(blob.name, content)
    kept = Kept({"STORE": blob, "study.yaml": blob}, (), ())
    remote.place.write(f"studies/{name}.json", kept.to_json())
    remote.place.write("studies/good.json", Kept({name: blob}, (), ()).to_json())
    remote.place.write("index/.hidden/x.json", b"{}")
    before = {path: path.read_bytes() for path in elsewhere.root.rglob("*") if path.is_file()}
    moved = pull(elsewhere, url)
    assert list(moved.failed) == ["study good"] and "cannot be read" in moved.failed["study good"]
    assert moved.studies == [] and remote.indexes() == {}
    with pytest.raises(FileNotFoundError):
        pulling.of_study(remote, name)
    here = {
        path: path.read_bytes() for path in elsewhere.root.rglob("*") if path.is_file() and "locks" not in path.parts
    }
    assert here == {path: content for path, content in before.items() if "locks" not in path.parts}


def test_a_file_altered_here_is_not_pushed(here: Store, url: str) -> None:
    bad, good = publish(here, "a", {"x": BIG}), publish(here, "b", {"y": b"good"})
    (here.stage_folder(bad) / "x").write_bytes(BIG[::-1])
    moved = push(here, url)
    assert moved.stages == [good] and "isthmus store verify" in moved.failed[bad]
    assert Remote.open(url).stages() == {good}


def test_two_machines_push_at_once(here: Store, elsewhere: Store, url: str, tmp_path: Path) -> None:
    keys = [publish(here, f"s{number}", {"x": BIG, "n": str(number).encode()}) for number in range(6)]
    for number in range(6):
        publish(elsewhere, f"s{number}", {"x": BIG, "n": str(number).encode()})
    Remote.open(url, create=True)
    both = [threading.Thread(target=push, args=(store, url)) for store in (here, elsewhere)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    third = Store.open(tmp_path / "third")
    assert sorted(pull(third, url).stages) == sorted(keys)
    assert not [found for _, found in third.verify() if found]


def test_an_answer_that_is_lost_is_no_failure(
    here: Store, elsewhere: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload in parts ended, its answer did not come, and the client's second try finds no such upload."""
    key = publish(here, "a", {"x": BIG})
    remote = Remote.open(url, create=True)
    put = remote.place._fs.put_file

    def put_and_lose_the_answer(*arguments: object, **options: object) -> None:
        put(*arguments, **options)
        raise FileNotFoundError("The specified upload does not exist.")

    with monkeypatch.context() as patch:
        patch.setattr(remote.place._fs, "put_file", put_and_lose_the_answer)
        assert pushing.push(here, remote, pushing.everything(here, {})).stages == [key]
    assert pull(elsewhere, url).stages == [key]


def test_two_machines_create_it_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Place.empty

    def first_another_machine(place: Place) -> bool:
        with monkeypatch.context() as patch:
            patch.setattr(Place, "empty", empty)
            Remote.open(url, create=True)
        return empty(place)

    monkeypatch.setattr(Place, "empty", first_another_machine)
    assert Remote.open(url, create=True).stages() == set()


def test_rows_come_with_what_is_known_of_them(here: Store, elsewhere: Store, url: str) -> None:
    import pyarrow as pa

    table = to_table(Kind.SEQUENCE, {"id": ["1"], "text": ["a text"], "label": ["x"]}, "rows")
    name = fingerprint(table)
    with pa.ipc.new_file(str(here.data_file(name)), table.schema) as writer:
        writer.write_table(table)
    (here.root / "data" / "index").mkdir()
    index = {"train/en": {"fingerprint": name, "rows": 1}, "test/en": {"fingerprint": "0" * 64, "rows": 1}}
    (here.root / "data" / "index" / "task.json").write_text(json.dumps(index))
    push(here, url)
    assert pull(elsewhere, url).rows == 1
    assert not [found for _, found in elsewhere.verify() if found] and elsewhere.data_file(name).exists()
    told = json.loads((elsewhere.root / "data" / "index" / "task.json").read_bytes())
    assert told == {"train/en": index["train/en"]}  # of rows that are not there nothing is known


def test_a_study_of_another_content_is_left_alone(here: Store, elsewhere: Store, url: str) -> None:
    for store, text in ((here, "name: x\nseeds: [1]\n"), (elsewhere, "name: x\nseeds: [2]\n")):
        store.study_folder("x").mkdir(parents=True)
        (store.study_folder("x") / "study.yaml").write_text(text)
        (store.study_folder("x") / "folder.txt").write_text("/home/somebody")
    remote = Remote.open(url, create=True)
    pushing.push(here, remote, pushing.everything(here, {"x": None}))
    assert set(remote.study("x").files) == {"study.yaml"}  # where it was run means nothing elsewhere
    assert "other fields" in pull(elsewhere, url).notes[0]
    assert "[2]" in (elsewhere.study_folder("x") / "study.yaml").read_text()


def test_a_stage_has_one_holder_and_a_lease_that_is_not_renewed_ends(url: str) -> None:
    place, now = Remote.open(url, create=True).place, [0.0]
    first, second = (Leases(place, renew=3600, clock=lambda: now[0]) for _ in range(2))
    assert first.take("train-a") and first.take("train-a")
    assert not second.take("train-a") and not second.free("train-a")
    now[0] = PATIENCE - 1
    assert not second.take("train-a")
    now[0] = PATIENCE + 1  # it was seen unchanged for longer than that
    assert second.free("train-a") and second.take("train-a")
    second.close()
    assert first.take("train-a")  # it knows no better: both do the stage, which harms nothing
    first.close()
    assert place.sizes("leases") == {}


def test_a_lease_that_is_renewed_goes_on(url: str) -> None:
    place, now = Remote.open(url, create=True).place, [0.0]
    first, second = Leases(place, renew=0.05), Leases(place, renew=3600, clock=lambda: now[0])
    assert first.take("train-a")
    for _ in range(3):
        assert not second.take("train-a")
        before = place.read("leases/train-a.json")
        while place.read("leases/train-a.json") == before:
            time.sleep(0.01)
        now[0] += PATIENCE + 1
    assert not second.take("train-a")
    first.release("train-a")
    assert second.take("train-a")
    first.close()
    second.close()
