"""How the command line behaves: quick to help, quiet in logs, plain JSON for scripts, safe to interrupt."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.cli import main
from isthmus.errors import SpecError
from tests.cli.conftest import PROGRAM, Said, Story

Program = Callable[..., Said]
HEAVY = ("torch", "transformers", "pydantic", "pyarrow", "numpy", "yaml", "duckdb", "ray", "huggingface_hub", "hassil")
#: What typer itself loads, in its newer versions, to read the options of a command.
OF_TYPER = ("pydantic",)


# -- help


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [(["--help"], ()), ([], ()), (["--version"], OF_TYPER), (["run", "--help"], OF_TYPER), (["stage"], OF_TYPER)],
)
def test_help_loads_nothing_heavy(arguments: list[str], allowed: tuple[str, ...]) -> None:
    program = f"""
import sys
sys.argv = ["isthmus", *{arguments!r}]
from isthmus.cli import main
try:
    main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert set(ast.literal_eval(done.stderr.splitlines()[-1])) <= set(allowed)
    assert "isthmus" in done.stdout + done.stderr


COMMANDS = {
    "init",
    "run",
    "plan",
    "train",
    "translate",
    "evaluate",
    "submission",
    "score",
    "status",
    "logs",
    "why",
    "results",
    "view",
    "schema",
    "tasks",
    "report",
    "stage",
    "store",
    "data",
}


def test_every_command_is_described_on_one_line(isthmus: Program) -> None:
    listed = isthmus("--help").out.partition("Commands:")[2].splitlines()
    assert all(len(line) <= 80 and not line.endswith("...") for line in listed)
    for name in COMMANDS:
        assert any(line.startswith(f"  {name} ") for line in listed), name


# -- a run on a terminal, and in a log


def test_a_terminal_shows_bars_with_the_time_left(story: Story) -> None:
    lines = story.drawn.split("\n")
    assert any(re.search(r"^all stages .*\d/8 .*\d+ (s|min) left", line) for line in lines), story.drawn
    assert any(re.search(r"^train tiny > reviews.csv, seed 1 .*\d+/100 0:00:0\d", line) for line in lines), story.drawn


def test_ctrl_c_says_how_to_go_on(story: Story) -> None:
    assert story.interrupted == 130
    (sentence,) = re.findall(r"^(?:Error: )?(Interrupted: .*)", story.drawn, re.MULTILINE)
    assert sentence.startswith(f"Interrupted: {len(story.kept)} of 8 stages are finished")
    assert "To go on, run the same command again." in " ".join(story.drawn.split())
    assert "Traceback" not in story.drawn


def test_the_same_command_goes_on_where_ctrl_c_stopped_it(story: Story) -> None:
    assert story.resumed.code == 0, story.resumed.err
    assert 1 <= len(story.kept) < 8
    for name, written in story.kept.items():
        record = story.folder / "store" / "stages" / name / "record.json"
        assert record.stat().st_mtime_ns == written, f"{name} was finished, and done again"
    logs = "".join(path.read_text() for path in story.folder.glob("store/stages/train-*/log.txt"))
    assert re.search(r"train tiny > .*, seed 1: stopped after step \d+ of 100, and saved", logs), logs


def test_a_log_has_plain_lines(story: Story) -> None:
    _, out, err = story.resumed
    assert "\x1b" not in out + err
    lines = [line for line in err.splitlines() if not line.startswith(("train/", "test/"))]
    kept = len(story.kept)
    assert lines[0] == f"8 stages: {kept} finished, {8 - kept} to do."
    assert len(lines) == 1 + 8 - kept
    for number, line in enumerate(lines[1:], kept + 1):
        assert re.fullmatch(rf"\[{number}/8\] done .* \(\d+\.\d s\)", line), line
    assert "Report: " in out and "Report" not in err


def test_a_second_run_has_nothing_to_do(finished: Path, isthmus: Program) -> None:
    again = isthmus("run", "study.yaml")
    assert again.code == 0
    assert again.out.startswith("Nothing to do: all 8 stages of small are finished.")
    assert again.err.splitlines()[-1] == "8 stages: 8 finished, 0 to do."
    assert isthmus("run", "study.yaml", "--quiet").err == ""


# -- JSON


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ("run study.yaml", {"headline", "report", "stages_run", "stages"}),
        ("plan study.yaml", {"study", "chains", "to_do", "seconds", "bytes", "stages"}),
        ("train --model tiny --target reviews.csv --set recipe.max_length=32", {"model", "key", "loss", "stages_run"}),
        ("train --model tiny --target reviews.csv --test de=de.tsv --set recipe.max_length=32", {"model", "tasks"}),
        ("status", {"store", "studies"}),
        ("status small", {"study", "stages", "errors"}),
        ("tasks intents", {"name", "kind", "languages", "licence"}),
        ("report", {"headline", "report"}),
        ("store verify", {"checked", "damaged"}),
    ],
)  # fmt: skip
def test_json_is_one_document_on_standard_output_and_nothing_else(
    finished: Path, isthmus: Program, arguments: str, fields: set[str]
) -> None:
    said = isthmus(*arguments.split(), "--json")
    assert said.code == 0, said
    assert fields <= said.json.keys()
    assert said.err == ""


def test_errors_are_json_too(finished: Path, isthmus: Program) -> None:
    for wrong in (["run", "none.yaml"], ["run", "study.yaml", "--nonsense"], ["nonsense"]):
        said = isthmus(*wrong, "--json")
        assert said.code == 2 and said.err == ""
        assert said.json.keys() == {"error"}


def test_json_of_a_run_with_failed_stages_is_still_one_document(finished: Path, isthmus: Program) -> None:
    said = isthmus("run", "study.yaml", "--json", "--set", "recipe.freeze_layers=9")
    assert said.code == 1
    assert "freeze_layers is 9, but the model has 2 layers" in said.json["error"]
    assert said.json["stages_run"] == 0 and said.json["stages"] == 8
    assert said.err == f"Error: {said.json['error']}\n"


def test_a_list_of_tasks_is_json(isthmus: Program) -> None:
    listed = {task["name"]: task for task in isthmus("tasks", "--json").json}
    assert listed["intents"]["train_language"] == "en" and len(listed["intents"]["languages"]) >= 30


# -- terminals, pipes, colours


def on_terminal(arguments: str, columns: int = 80, **environment: str) -> str:
    """What a command draws on a terminal of its own."""
    here, there = os.openpty()
    settings = {**os.environ, "COLUMNS": str(columns), **environment}
    process = subprocess.Popen([PROGRAM, *arguments.split()], stdin=there, stdout=there, stderr=there, env=settings)
    os.close(there)
    drawn = b""
    while True:
        try:
            drawn += os.read(here, 1 << 16)
        except OSError:
            break
    os.close(here)
    assert process.wait(timeout=60) == 0, drawn
    return drawn.decode()


def test_no_color_is_honoured(finished: Path) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;5)[0-9;]*m")
    assert colour.search(on_terminal("status small"))
    assert not colour.search(on_terminal("status small", NO_COLOR="1"))


@pytest.mark.parametrize("columns", [80, 200])
def test_tables_are_readable_however_wide_the_terminal_is(
    finished: Path, isthmus: Program, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    listed = isthmus("tasks").out
    for name in ("intents", "slots", "template-pairs", "emoji-names", "emoji-aliases"):
        assert re.search(rf"^{name} +\w+ +(en|-) +\d+ +\w+ +(annotated|derived)$", listed, re.MULTILINE), name
    assert "\n  Find the English name of an emoji by its name in another language.\n" in listed
    planned = isthmus("plan", "study.yaml").out
    assert re.search(r"^done +\d  score tiny > colours.csv > reviews.csv on reviews.csv *$", planned, re.MULTILINE)
    for page in (listed, planned, isthmus("status", "small").out, isthmus("status").out):
        assert max(map(len, page.splitlines())) <= columns
        assert "…" not in page


def test_keys_are_shown_when_asked_for(finished: Path, isthmus: Program) -> None:
    keys = set(isthmus("plan", "study.yaml", "--json").json["stages"][0])
    assert "key" in keys
    for command in (["plan", "study.yaml"], ["status", "small"]):
        assert "train-" not in isthmus(*command).out
        shown = set(re.findall(r"\b(?:model|train|predict|score)-[0-9a-f]{20}\b", isthmus(*command, "--keys").out))
        assert shown == {path.name for path in (finished / "store" / "stages").iterdir()}


def test_of_many_stages_chains_are_counted_and_all_are_listed_when_asked_for(finished: Path, isthmus: Program) -> None:
    many = ["plan", "study.yaml", "--set", "seeds=[1,2,3,4,5,6,7,8,9,10,11,12]"]
    few = isthmus(*many).out
    assert re.search(r"^none +1/12$", few, re.MULTILINE) and re.search(r"^colours.csv +1/12$", few, re.MULTILINE)
    assert "--all lists the stages." in few and "waiting" not in few
    assert isthmus(*many, "--all").out.count("\ndone") == 8


def test_a_reader_that_has_seen_enough_is_no_error(finished: Path) -> None:
    done = subprocess.run(
        f"{PROGRAM} tasks intents | head -c 1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout in ("n0\n", "n141\n")


def test_closed_streams_are_no_error(finished: Path) -> None:
    for command, code in (("tasks >&-", 0), ("run none.yaml >&- 2>&-", 2)):
        shell = subprocess.run(f"{PROGRAM} {command}", shell=True, capture_output=True, timeout=60, check=False)
        assert (shell.returncode, shell.stderr) == (code, b"")


def test_a_terminal_without_unicode_gets_what_it_can_show(finished: Path, process: Program) -> None:
    said = process("report", PYTHONIOENCODING="ascii")
    assert said.code == 0, said.err
    assert "Gains" in said.out


# -- errors


def test_debug_shows_the_traceback_wherever_it_stands(
    isthmus: Program, process: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = process("run", "none.yaml", "--debug")
    assert said.code == 1
    assert "Traceback" in said.err and "SpecError: There is no study file none.yaml" in said.err
    monkeypatch.setattr(sys, "argv", ["isthmus", "--debug", "run", "none.yaml"])
    with pytest.raises(SpecError):
        main()
    said = isthmus("run", "none.yaml")
    assert said.code == 2 and said.err == "Error: There is no study file none.yaml.\n"


def test_a_fault_of_ours_says_so_and_leaves_with_1(isthmus: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.commands import views

    def broken(*_: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(views, "show_tasks", broken)
    said = isthmus("tasks")
    assert said.code == 1
    wanted = "Error: Isthmus failed (ZeroDivisionError: division by zero). Add --debug for the traceback.\n"
    assert said.err == wanted


def test_ctrl_c_while_planning_says_how_to_go_on(isthmus: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.commands import planning_views

    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(planning_views, "show_plan", pressed)
    said = isthmus("plan", "quickstart")
    assert said.code == 130
    assert said.err == "Error: Interrupted. Everything finished is kept; to go on, run the same command again.\n"


# -- completion


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("isthmus ", COMMANDS),
        ("isthmus tasks emoji", {"emoji-names", "emoji-aliases"}),
        ("isthmus train --target int", {"intents"}),
        ("isthmus evaluate out --task slo", {"slots"}),
        ("isthmus evaluate out --suite xtreme", {"xtreme", "xtreme-r"}),
        ("isthmus run qui", {"quickstart"}),
        ("isthmus store ver", {"verify"}),
    ],
)
def test_tab_completes_commands_and_names(
    isthmus: Program, monkeypatch: pytest.MonkeyPatch, typed: str, offered: set[str]
) -> None:
    asked = {"_ISTHMUS_COMPLETE": "complete_bash", "_TYPER_COMPLETE_ARGS": typed}
    asked |= {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    said = isthmus()
    assert set(said.out.split()) == offered
    assert said.err == ""


def test_plan_json_is_the_graph(finished: Path, isthmus: Program) -> None:
    stages = isthmus("plan", "study.yaml", "--json").json["stages"]
    known = {stage["key"] for stage in stages}
    assert all(set(stage["needs"]) <= known for stage in stages)
    assert {stage["state"] for stage in stages} == {"done"}
    assert json.loads(json.dumps(stages)) == stages
