"""What the viewer answers to each path: pages, and the status as JSON."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote

from isthmus.report.build import policy, render
from isthmus.running.runner import State
from isthmus.view.live import Shown, Studies
from isthmus.view.status import stage_view

#: What stands in a report for how far the study is; text from data cannot hold it, since it is escaped.
PANEL = "<!-- panel -->"


class NotThere(Exception):
    """There is no such page."""


@dataclass(frozen=True)
class Answer:
    """A response."""

    body: str
    type: str = "text/html"
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)


def refused(status: HTTPStatus, sentence: str) -> Answer:
    """A sentence instead of a page."""
    headers = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = "GET, HEAD"
    return Answer(f"{sentence}\n", "text/plain", status, headers)


def answer_to(path: tuple[str, ...], studies: Studies) -> Answer:
    """The page at ``path`` (its parts behind the token). Raises NotThere where there is none."""
    match path:
        case ("",):
            return _index(studies)
        case ("study", name, ""):
            return _study(studies, _named(studies, name))
        case ("study", name, "status.json"):
            status = studies.status(_named(studies, name))
            return Answer(json.dumps(status.to_json()), "application/json")
        case ("study", name, "stages", ""):
            return _stages(studies, _named(studies, name))
        case ("study", name, "stages", key):
            return _stage(studies, _named(studies, name), key)
    raise NotThere("There is no such page.")


def _named(studies: Studies, name: str) -> Shown:
    shown = studies.get(name)
    if shown is None:
        raise NotThere("There is no such study in this store.")
    return shown


def _page(template: str, **values: object) -> Answer:
    headers = {"Content-Security-Policy": f"{policy(live=True)}; frame-ancestors 'none'"}
    return Answer(render(template, live=True, **values), headers=headers)


def _index(studies: Studies) -> Answer:
    found = [(name, studies.get(name)) for name in studies.names()]
    rows = [(name, quote(name, safe=""), studies.status(shown)) for name, shown in found if shown]
    return _page("view_studies.html", rows=rows, store=str(studies.store.root))


def _study(studies: Studies, shown: Shown) -> Answer:
    status = studies.status(shown)
    panel = _page("view_panel.html", status=status)
    if not shown.html:
        return _page("view_waiting.html", status=status)
    return Answer(shown.html.replace(PANEL, panel.body, 1), headers=panel.headers)


def _stages(studies: Studies, shown: Shown) -> Answer:
    plan = shown.plan
    if plan is None:
        return _page("view_waiting.html", status=studies.status(shown))
    rows = [(key, stage.title, str(shown.states.get(key, State.WAITING))) for key, stage in plan.stages.items()]
    return _page("view_stages.html", study=shown.name, rows=rows, status=studies.status(shown))


def _stage(studies: Studies, shown: Shown, key: str) -> Answer:
    if shown.plan is None or key not in shown.plan.stages:
        raise NotThere("There is no such stage in this study.")
    stage = stage_view(shown.plan, studies.store, key, shown.states.get(key, State.WAITING))
    return _page("view_stage.html", study=shown.name, stage=stage)
