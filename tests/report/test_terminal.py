"""The answer on a terminal: names of tasks, models and files are other people's, and steer nothing."""

from dataclasses import replace

from rich.console import Console, RenderableType

from isthmus.commands.tables import stage_table
from isthmus.planning.plan import Plan
from isthmus.report.findings import Problem
from isthmus.report.summary import render_scores, render_terminal, summarise
from isthmus.running.runner import State
from isthmus.stage import Stage
from isthmus.study.spec import Study
from tests.report.made_up_study import small_study

NAME = "slots\x1b]0;owned\x07\x9b31m\u202e"
TOLD = r"slots\x1b]0;owned\x07\x9b31m\u202e"


def printed(renderable: RenderableType) -> str:
    console = Console(width=200, force_terminal=True, no_color=True, color_system=None)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_names_cannot_steer_the_terminal() -> None:
    gains = {NAME: {NAME: {"en": 1.0, "de": 9.0, "sw": 9.0}}}
    results = small_study(gains)
    summary = summarise(results)
    summary = replace(summary, problems=(Problem("failed", f"train {NAME}", f"no such file {NAME}"),))
    for said in (printed(render_terminal(summary)), printed(render_scores(results))):
        assert not set(said) & set("\x1b\x07\x9b\u202e")
        assert TOLD in said


def test_titles_of_stages_cannot_either() -> None:
    stage = Stage("train", {}, {}, f"train tiny > {NAME}")
    study = Study.model_validate({"name": "small", "models": ["tiny"], "targets": ["xnli"]})
    plan = Plan(study, {stage.key: stage}, (), {}, {})
    said = printed(stage_table(plan, {stage.key: State.WAITING}, {stage.key: 1.0}, keys=False, everything=True))
    assert TOLD in said and not set(said) & set("\x1b\x07\x9b\u202e")
