"""Rows are tokenised once; whatever the tokens depend on is in their name, and a file that is wrong is made anew."""

import errno
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.tiny import SENTENCES

from isthmus.data.schema import Kind, fingerprint, to_table
from isthmus.errors import DataError, ModelError
from isthmus.kinds import method
from isthmus.kinds.core import Limits
from isthmus.model import tokens
from isthmus.model.folder import load_tokenizer
from isthmus.model.tokens import LazyTokenizer, key_of, tokens_of
from isthmus.store import Store

LABELS = ["short", "long"]
LIMITS = Limits(32)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def table(texts: list[str] = SENTENCES) -> pa.Table:
    labels = ["short" if len(text) < 30 else "long" for text in texts]
    return to_table(Kind.SEQUENCE, {"id": list(map(str, range(len(texts)))), "text": texts, "label": labels}, "test")


def tokenised(store: Store, folder: Path, rows: pa.Table | None = None, limits: Limits = LIMITS) -> Any:
    """The tokens, and the tokenizer that was lent for them."""
    tokenizer = LazyTokenizer(folder)
    rows = table() if rows is None else rows
    return tokens_of(store, rows, Kind.SEQUENCE, tokenizer, LABELS, limits), tokenizer


def files(store: Store) -> list[Path]:
    return sorted((store.root / "tokens").glob("*"))


def was_loaded(tokenizer: LazyTokenizer) -> bool:
    return "loaded" in vars(tokenizer)


def test_the_second_time_no_tokenizer_is_loaded_and_the_features_are_the_same(store: Store, tiny_model: Path) -> None:
    first, used = tokenised(store, tiny_model)
    again, unused = tokenised(store, tiny_model)
    assert was_loaded(used) and not was_loaded(unused)
    plain = load_tokenizer(tiny_model)
    wanted = method(Kind.SEQUENCE).encode(table(), plain, LABELS, Limits(32))
    assert first.features == again.features == wanted
    assert first.pad == again.pad == plain.pad_token_id
    assert unused("the lamp")["input_ids"] == plain("the lamp")["input_ids"] and was_loaded(unused)


def test_every_ingredient_changes_the_key(store: Store, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def key(**changed: Any) -> str:
        told: dict[str, Any] = {
            "rows": "r",
            "tokenizer": "t",
            "kind": Kind.SEQUENCE,
            "labels": LABELS,
            "limits": Limits(32),
        }
        return key_of(**{**told, **changed})

    assert key() == key()
    keys = [key()]
    keys += [key(rows="other"), key(tokenizer="other"), key(kind=Kind.PAIR)]
    keys += [key(labels=LABELS[::-1]), key(labels=[]), key(labels=None)]
    keys += [key(limits=Limits(33)), key(limits=Limits(32, 64)), key(limits=Limits(32, whole_words=True))]
    assert len(Limits._fields) == 3, "another limit has to be tried here"
    with monkeypatch.context() as patched:
        patched.setattr(tokens, "VERSIONS", {Kind.SEQUENCE: 2})
        keys.append(key())
    for library in ("tokenizers", "transformers"):
        with monkeypatch.context() as patched:
            patched.setattr(tokens, "version", lambda name, changed=library: "0" if name == changed else "1")
            keys.append(key())
    assert len(set(keys)) == len(keys)


def test_other_rows_and_a_changed_tokenizer_are_never_served_what_was_kept(
    store: Store, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    before, _ = tokenised(store, folder)
    other, _ = tokenised(store, folder, table(SENTENCES[::-1]))
    assert other.features != before.features
    told = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    told["normalizer"] = {"type": "Lowercase"}
    (folder / "tokenizer.json").write_text(json.dumps(told), encoding="utf-8")
    after, _ = tokenised(store, folder)
    assert after.features != before.features
    assert after.features == method(Kind.SEQUENCE).encode(table(), load_tokenizer(folder), LABELS, Limits(32))
    keys = {LazyTokenizer(folder).fingerprint}
    for name, field in (("tokenizer_config.json", "model_max_length"), ("config.json", "model_type")):
        told = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps({**told, field: "other"}), encoding="utf-8")
        keys.add(LazyTokenizer(folder).fingerprint)
    assert len(keys) == 3
    (folder / "README.md").write_text("a card")
    assert LazyTokenizer(folder).fingerprint in keys


@pytest.mark.parametrize("harm", ["cut off", "altered", "empty", "a folder"])
def test_a_damaged_file_is_made_anew(store: Store, tiny_model: Path, harm: str) -> None:
    wanted, _ = tokenised(store, tiny_model)
    (path,) = files(store)
    whole = path.read_bytes()
    place = whole.index(wanted.features.texts.values.tobytes())
    if harm == "a folder":
        path.unlink()
        path.mkdir()
        found, tokenizer = tokenised(store, tiny_model)
        assert found.features == wanted.features and was_loaded(tokenizer)
        return
    broken = {"cut off": whole[:-9], "altered": whole[:place] + b"\x07" + whole[place + 1 :], "empty": b""}[harm]
    path.unlink()  # the old file stays as it is for those that have it mapped
    path.write_bytes(broken)
    found, tokenizer = tokenised(store, tiny_model)
    assert found.features == wanted.features and was_loaded(tokenizer)
    assert path.read_bytes() == whole, "it was mended"


def test_a_full_disk_or_a_folder_that_cannot_be_written_only_means_that_nothing_is_kept(
    store: Store, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(tokens, "write_features", full)
        found, _ = tokenised(store, tiny_model)
    assert len(found.features) == len(SENTENCES)
    assert files(store) == []
    shutil.rmtree(store.root / "locks")
    (store.root / "locks").write_text("no folder")
    assert tokenised(store, tiny_model)[0].features == found.features


def test_what_was_not_used_for_longest_makes_room(
    store: Store, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length in (16, 17, 18):
        tokenised(store, tiny_model, limits=Limits(length))
    first, second, third = sorted(files(store), key=lambda path: path.stat().st_mtime_ns)
    kept, _ = tokenised(store, tiny_model, limits=Limits(16))
    monkeypatch.setattr(tokens, "BOUND", int(2.7 * first.stat().st_size))
    tokenised(store, tiny_model, limits=Limits(19))
    assert first.exists() and not second.exists() and not third.exists()
    first.unlink()
    assert kept.features[3].texts[0], "those that have a file mapped keep it"


def make(store: Path, folder: Path) -> tuple[list[int], str]:
    found, _ = tokenised(Store(store), folder)
    return found.features.texts.values.tolist(), fingerprint(table())


def test_processes_that_want_the_same_tokens_get_them(store: Store, tiny_model: Path) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        found = list(pool.map(make, [store.root] * 2, [tiny_model] * 2))
    assert all(one == found[0] for one in found)
    assert len(files(store)) == 1


def test_what_cannot_be_encoded_is_refused_as_ever(store: Store, tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="reads at most 64 tokens"):
        tokenised(store, tiny_model, limits=Limits(65))
    rows = table()
    with pytest.raises(DataError, match="row 1: the label 'long' is not one of yes, no"):
        tokens_of(store, rows, Kind.SEQUENCE, LazyTokenizer(tiny_model), ["yes", "no"], Limits(32))
    assert files(store) == []
