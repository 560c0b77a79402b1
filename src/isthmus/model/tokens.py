"""Rows as tokens, tokenised once and kept in the store: ``tokens/KEY.arrow``.

The key is a hash over all that the tokens depend on: the rows, the tokenizer's files, kind, labels and limits, the
version of the encoding below, and those of the libraries. A file that is damaged is made anew, and where one cannot be
written things go on without. The folder may be deleted at any time; the files that were not used for longest go by
themselves when it holds more than `BOUND` bytes.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from isthmus.data.schema import Kind, fingerprint
from isthmus.disk import lock, replacing, sha256
from isthmus.errors import DataError
from isthmus.kinds import method
from isthmus.kinds.core import Limits
from isthmus.kinds.features import Features
from isthmus.kinds.files import read_features, write_features
from isthmus.model.folder import check_length, load_tokenizer
from isthmus.model.layout import TOKENIZER_FILES
from isthmus.stage import Json, canonical
from isthmus.store import Store

#: Bytes that the folder may hold.
BOUND = 32 << 30
#: Raised when a kind's rows are encoded otherwise than before, so that no older file is taken for a new one.
VERSIONS: Mapping[Kind, int] = dict.fromkeys(Kind, 1)
#: What of a model's configuration decides which tokenizer its files become.
_CONFIGURED = ("model_type", "tokenizer_class")


class LazyTokenizer:
    """The tokenizer of a model folder, loaded when something is asked of it: with a large vocabulary that is a second.

    Attributes:
        folder: an ordinary Hugging Face folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def loaded(self) -> Any:
        """The tokenizer itself. Raises ModelError when there is none."""
        return load_tokenizer(self.folder)

    @cached_property
    def fingerprint(self) -> str:
        """A hash over the files it is made from."""
        found: dict[str, Json] = {
            name: sha256(self.folder / name) for name in TOKENIZER_FILES if (self.folder / name).exists()
        }
        config = self.folder / "config.json"
        if config.exists():
            told = json.loads(config.read_text(encoding="utf-8"))
            found |= {name: told.get(name) for name in _CONFIGURED}
        return hashlib.sha256(canonical(found)).hexdigest()

    def __call__(self, *args: Any, **named: Any) -> Any:
        """As the tokenizer's own."""
        return self.loaded(*args, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what copying and the like look for
            raise AttributeError(name)
        return getattr(self.loaded, name)


class Tokens(NamedTuple):
    """Rows as features, and the token that they are padded with."""

    features: Features
    pad: int


def tokens_of(
    store: Store, table: pa.Table, kind: Kind, tokenizer: LazyTokenizer, labels: Sequence[str] | None, limits: Limits
) -> Tokens:
    """The features of rows, from the store where they have been made before; then no tokenizer is loaded.

    Args:
        store: whose folder ``tokens`` keeps them.
        table: rows in the schema of ``kind``.
        kind: how they are encoded.
        tokenizer: that of the model.
        labels: those of the task, to learn; None to predict.
        limits: of the recipe.

    Raises:
        DataError: as `isthmus.kinds.core.Method.encode`.
        ModelError: the model has no tokenizer, or no positions for inputs of that length.
    """

    def encode() -> Tokens:
        check_length(tokenizer, limits.max_length)
        return Tokens(method(kind).encode(table, tokenizer, labels, limits), tokenizer.pad_token_id)

    key = key_of(fingerprint(table), tokenizer.fingerprint, kind, labels, limits)
    return _kept(store, store.root / "tokens" / f"{key}.arrow", encode)


def key_of(rows: str, tokenizer: str, kind: Kind, labels: Sequence[str] | None, limits: Limits) -> str:
    """What names the tokens of rows, given by their fingerprint as the tokenizer is."""
    named: dict[str, Json] = {
        "rows": rows,
        "tokenizer": tokenizer,
        "kind": kind,
        "labels": None if labels is None else list(labels),
        "limits": limits._asdict(),
        "version": VERSIONS[kind],
        "libraries": [version("tokenizers"), version("transformers")],
    }
    return hashlib.sha256(canonical(named)).hexdigest()[:32]


def _kept(store: Store, path: Path, encode: Callable[[], Tokens]) -> Tokens:
    """What ``path`` has, or else what ``encode`` gives, written there if that is possible."""
    found = _read(path)
    if found is not None:
        return found
    with ExitStack() as stack:
        try:  # of processes that want the same tokens, one makes them
            stack.enter_context(lock(store.root / "locks" / f"tokens-{path.stem}.lock"))
        except OSError:
            return encode()
        found = _read(path)
        if found is not None:
            return found
        made = encode()
        try:
            with replacing(path) as temporary:
                write_features(temporary, made.features, {"pad": made.pad})
            _make_room(path.parent, path)
        except OSError:
            return made
    return _read(path) or made


def _read(path: Path) -> Tokens | None:
    """The tokens in a file, or None where there is none that can be believed."""
    try:
        stored = read_features(path)
        os.utime(path)  # it was used
    except (OSError, DataError):
        return None
    return Tokens(stored.features, stored.said["pad"])


def _make_room(folder: Path, new: Path) -> None:
    """Delete the files that were not used for longest, never the ``new`` one, until the rest is within the bound.

    Those that have them mapped keep them.
    """
    left = BOUND - new.stat().st_size
    others = sorted((status.st_mtime_ns, status.st_size, path) for path, status in _files(folder) if path != new)
    for _, size, path in reversed(others):
        left -= size
        if left < 0:
            path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob("*.arrow"):
        try:
            yield path, path.stat()
        except FileNotFoundError:  # another process was first
            continue
