"""The command line as people use it: a folder with a tiny model, files and a study, and a store that a run has filled.

The store is filled once for all tests, the hard way: a run on a terminal, Ctrl-C in the middle of a training, and the
same command again, this time into a log (and in this process, which has torch loaded).
"""

import contextlib
import io
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from isthmus.cli import main
from isthmus.disk import sha256
from isthmus.engines import Ended, choose
from isthmus.running.execute import run_stage_file
from tests.tiny import SENTENCES

PROGRAM = str(Path(sys.executable).with_name("isthmus"))
STUDY = """\
name: small
models: [tiny]
intermediates: [none, colours.csv]
targets: [reviews.csv]
files:
  reviews.csv:
    test: {de: de.tsv, sw: sw.jsonl}
recipe: {epochs: 20, batch_size: 8, learning_rate: 1e-3, max_length: 32}
"""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Said(NamedTuple):
    """What a command left with, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Story:
    """How the store of all tests was filled."""

    folder: Path
    #: what the interrupted run drew on its terminal, without the codes that move and colour
    drawn: str
    interrupted: int
    #: the finished stages right after Ctrl-C, and when their records were written
    kept: dict[str, int]
    resumed: Said


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "ISTHMUS_STORE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def rows(count: int, *columns: Callable[[int, str], str]) -> list[list[str]]:
    return [[column(row, SENTENCES[row % 10]) for column in columns] for row in range(count)]


def write_files(folder: Path, tiny_model: Path) -> None:
    """A model, three languages of one task, an intermediate task, and a study of them."""
    shutil.copytree(tiny_model, folder / "tiny")
    data = rows(40, lambda row, text: f"{text} {row}", lambda _, text: "long" if len(text) > 30 else "short")
    (folder / "reviews.csv").write_text("".join(f"{text},{label}\n" for text, label in [("text", "label"), *data]))
    (folder / "de.tsv").write_text("".join(f"{label}\t{text}\n" for text, label in [("review", "label"), *data[:20]]))
    objects = [{"sentence": text, "label": label} for text, label in data[20:]]
    (folder / "sw.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in objects))
    colours = rows(40, lambda row, text: f"{row} {text}", lambda _, text: "green" if "r" in text[:12] else "none")
    (folder / "colours.csv").write_text("".join(f"{text},{label}\n" for text, label in [("text", "label"), *colours]))
    (folder / "study.yaml").write_text(STUDY)


class EngineHere:
    """Runs stages in this process, which has torch loaded: for tests of everything but engines."""

    slots = 1

    def __init__(self, *_: object) -> None:
        self._ended: list[Ended] = []

    def start(self, key: str, stage_file: Path, log: Path) -> None:
        with log.open("a") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
            self._ended.append(Ended(key, run_stage_file(stage_file)))

    def ended(self, timeout: float) -> list[Ended]:
        ended, self._ended = self._ended, []
        return ended

    def cancel(self, key: str) -> None:
        pass

    def stop(self, patience: float) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def story(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("cli")
    write_files(folder, tiny_model)
    command = ["run", "study.yaml", "--store", "store", "--workers", "2"]  # a thread each
    drawn, code = until_interrupted([PROGRAM, *command], folder, after=r"train tiny > reviews.csv.*\d+/100")
    kept = {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("store/stages/*/record.json")}
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(choose, "LocalEngine", EngineHere)
        patch.setattr(sys, "argv", ["isthmus", *command])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
            main()
    return Story(folder, drawn, code, kept, Said(int(left.value.code or 0), out.getvalue(), err.getvalue()))


def until_interrupted(command: list[str], folder: Path, after: str) -> tuple[str, int]:
    """Run on a terminal of 80 columns; press Ctrl-C once ``after`` (a pattern) is drawn.

    Returns:
        What was drawn, and the exit status.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(COLUMNS="80", TERM="xterm-256color")
        os.execv(command[0], command)
    drawn, pressed, end = "", False, time.monotonic() + 90
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                drawn += _ANSI.sub("", os.read(terminal, 1 << 16).decode(errors="replace"))
            except OSError:  # the other side is gone
                break
        if not pressed and re.search(after, drawn):
            os.write(terminal, b"\x03")
            pressed = True
    else:
        os.kill(child, signal.SIGKILL)
    os.close(terminal)
    return drawn, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def finished(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a copy of the files and the filled store, to be spoiled at will."""
    folder = tmp_path / "here"
    shutil.copytree(story.folder, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def here(finished: Path) -> Iterator[Path]:
    """As `finished`; whatever happens in it, nothing that is finished may be lost or changed."""
    before = {str(path): sha256(path) for path in sorted(finished.glob("store/stages/*/**/*")) if path.is_file()}
    yield finished
    assert {path: sha256(Path(path)) for path in before} == before


def refused(said: Said, code: int = 2) -> str:
    """The one sentence that a command left with."""
    assert said.code == code, said
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if not line.startswith(("train/", "test/"))]
    assert len(lines) == 1 and lines[0].startswith("Error: "), said.err
    assert len(lines[0]) < 500
    return lines[0].removeprefix("Error: ")


def write(name: str, content: str | bytes) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def isthmus(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The program, and the stages it runs, in this process."""
    monkeypatch.setattr(choose, "LocalEngine", EngineHere)

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["isthmus", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        assert isinstance(left.value.code, int)
        return Said(left.value.code, *capfd.readouterr())

    return run


@pytest.fixture
def process() -> Callable[..., Said]:
    """The program, in a process of its own."""

    def run(*arguments: object, **environment: str) -> Said:
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run
