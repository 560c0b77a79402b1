"""A stage is one unit of work with one output folder. Its key names its result, not its run.

The key is a hash over canonical JSON of: the stage function and its version, the identity fields, and the keys of the
stages it builds on. Devices, threads, micro-batches, engines and paths are never in it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from isthmus.errors import StoreError

Json = Any

#: The stage functions and their versions. Raise a version when the same identity would give another result; only
#: results of that function and of what builds on it are then made anew.
VERSIONS: Mapping[str, int] = {"model": 1, "translate": 1, "train": 3, "predict": 2, "score": 1}


@dataclass(frozen=True)
class Settings:
    """How a stage runs; never what comes out, beyond float noise."""

    threads: int = 1
    device: str = "auto"  # auto, cpu, cuda
    #: Examples in one forward pass while training; None takes the whole batch, halved for as long as memory runs out.
    micro_batch: int | None = None
    #: Seconds between checkpoints inside a training stage.
    checkpoint_seconds: float = 60.0
    #: Processes of a training, which share each batch and the threads: on a GPU, one each.
    processes: int = 1
    #: How several processes hold a model: each the whole of it (none), each a part (full), or that in the memory of the
    #: host (offload).
    shard: str = "none"
    #: Compute a layer's states again on the way back instead of keeping them: less memory, a third more time.
    gradient_checkpointing: bool = False
    #: Compile the layers with torch.compile.
    compile: bool = False
    #: How attention is computed: sdpa, eager, flash_attention_2; the model's own way if not given.
    attention: str | None = None
    #: Trackers that are told what comes out (`isthmus.running.tracking`), and the project that they file it under.
    trackers: tuple[str, ...] = ()
    project: str = ""


@dataclass(frozen=True)
class Stage:
    """One unit of work. ``title`` (for people) and ``hints`` (where to look, what to write on cards) name nothing."""

    function: str
    identity: Mapping[str, Json]
    inputs: Mapping[str, str] = field(default_factory=dict)  # role -> key of the stage it builds on
    title: str = ""
    hints: Mapping[str, Json] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """``function-`` and 20 hexadecimal digits."""
        named = {
            "function": self.function,
            "version": VERSIONS[self.function],
            "identity": self.identity,
            "inputs": self.inputs,
        }
        return f"{self.function}-{hashlib.sha256(canonical(named)).hexdigest()[:20]}"

    def to_json(self, settings: Settings) -> dict[str, Json]:
        """What `stage.json` holds: everything needed to run the stage by hand."""
        return {
            "key": self.key,
            "title": self.title,
            "function": self.function,
            "version": VERSIONS[self.function],
            "identity": dict(self.identity),
            "inputs": dict(self.inputs),
            "hints": dict(self.hints),
            "settings": asdict(settings),
        }


def canonical(value: Json) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read_stage(path: Path) -> tuple[Stage, Settings]:
    """The stage and its settings from a `stage.json`.

    Raises:
        StoreError: the file is not a stage, or was written for another version of the stage function.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        stage = Stage(data["function"], data["identity"], data["inputs"], data["title"], data["hints"])
        known = {item.name for item in fields(Settings)}
        settings = Settings(**{name: value for name, value in data["settings"].items() if name in known})
    except FileNotFoundError:
        raise StoreError(f"There is no stage file {path}.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is not a stage file: {error!r}.") from None
    if data["function"] not in VERSIONS:
        raise StoreError(f"{path}: there is no stage function {data['function']!r}.")
    if stage.key != data.get("key"):
        raise StoreError(f"{path}: its key is {data.get('key')}, but its fields give {stage.key}: plan the study anew.")
    return stage, settings


@dataclass(frozen=True)
class FileFact:
    """One file of a finished stage, as it was when the stage finished."""

    size: int
    sha256: str
    mtime_ns: int


@dataclass(frozen=True)
class Record:
    """The account a finished stage leaves behind, `record.json`, written last."""

    key: str
    title: str
    function: str
    version: int
    identity: Mapping[str, Json]
    inputs: Mapping[str, str]
    settings: Mapping[str, Json]
    started: str  # ISO 8601, UTC
    seconds: float  # of work, over all attempts that were resumed
    peak_memory: int  # bytes, largest resident set of the process
    versions: Mapping[str, str]
    machine: str
    warnings: tuple[str, ...]
    result: Mapping[str, Json]
    files: Mapping[str, FileFact]

    def to_json(self) -> dict[str, Json]:
        """As written."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> "Record":
        """As read. Raises KeyError or TypeError on a malformed record."""
        files = {name: FileFact(**fact) for name, fact in data["files"].items()}
        return cls(**{**data, "files": files, "warnings": tuple(data["warnings"])})
