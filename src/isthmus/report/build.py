"""The report as one HTML file: everything inside, nothing fetched. A small script sorts and filters; none is needed."""

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.outside import written
from isthmus.report import words
from isthmus.report.compare import facts
from isthmus.report.costs import by_chain, by_function, data_lines
from isthmus.report.curves import curve_groups
from isthmus.report.drill import anchors_of, markup, script_of, sections, size_figures
from isthmus.report.findings import Summary
from isthmus.report.matrix import matrices
from isthmus.report.summary import summarise
from isthmus.results import Example, Results

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

#: Problems of one kind that are shown; more are folded.
_MOST_PROBLEMS = 10
_TEMPLATES = Path(__file__).parent / "templates"
_FILTERS = (
    *("number", "signed", "span", "points", "listing", "count", "intermediate", "duration", "memory", "p_value"),
    "size",
)


@dataclass(frozen=True)
class Inlined:
    """The style and the scripts of a page, and the policy that lets these run and nothing else.

    The policy names them by their hash, so that nothing which gets into a page by mistake is run or styled.
    """

    style: "Markup"
    script: "Markup"
    policy: str


def build(results: Results, path: Path, summary: Summary | None = None) -> None:
    """Write the report of ``results`` to ``path``; with their ``summary``, where it is there already.

    The same results give the same bytes.

    Raises:
        DataError: chains of one target were scored on different examples.
        OSError: ``path`` cannot be written.
    """
    content = encoded(shown(results, summary or summarise(results)))
    with written(path) as file:
        file.write(content)


def encoded(html: str) -> bytes:
    """A page as UTF-8; half of a surrogate pair (of a file name that is no text) shows as its number."""
    return html.encode(errors="backslashreplace")


def page(results: Results, live: bool = False) -> str:
    """The report as HTML. All text from data is escaped. A ``live`` page asks where it was loaded from for news."""
    return shown(results, summarise(results), live)


def shown(results: Results, summary: Summary, live: bool = False) -> str:
    """The report of results that were summarised already."""
    anchors = anchors_of(summary)
    curves, without = curve_groups(summary.stages)
    return render(
        "report.html",
        live=live,
        summary=summary,
        matrices=matrices(summary, anchors),
        sections=sections(summary, anchors, results.examples),
        sizes=size_figures(summary.sizes, results.data),
        examples=len(results.examples),
        curves=curves,
        curves_left_out=without,
        costs=by_function(summary.stages),
        chains=by_chain(results),
        data=data_lines(results),
        troubled=[stage for stage in summary.stages if stage.attempts],
        several_models=len(summary.models) > 1,
        most_problems=_MOST_PROBLEMS,
    )


def render(template: str, live: bool, **values: Any) -> str:
    """A page from a template, with its style and its scripts in it."""
    inlined = _inlined(live)
    return _environment().get_template(template).render(live=live, inlined=inlined, **values)


def policy(live: bool) -> str:
    """The content security policy of the pages, as a header has it."""
    return _inlined(live).policy


@cache
def _inlined(live: bool) -> Inlined:
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    if live:
        script += (_TEMPLATES / "live.js").read_text(encoding="utf-8")
    sources = {"style-src": _hash(style), "script-src": _hash(script), "img-src": "data:"}
    sources |= {"base-uri": "'none'", "form-action": "'none'"}
    if live:
        sources["connect-src"] = "'self'"
    policy = "; ".join(["default-src 'none'", *(f"{name} {value}" for name, value in sources.items())])
    return Inlined(markup(style), markup(script), policy)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _FILTERS:
        environment.filters[name] = getattr(words, name)
    environment.filters["language"] = lambda tag: facts(tag).name
    environment.filters["script"] = script_of
    environment.filters["sentence"] = _sentence
    environment.filters["outcome"] = _outcome
    environment.globals.update(marks=words.MARKS, meanings=words.MEANINGS)
    return environment


def _sentence(text: str) -> "Markup":
    """Escaped, with intervals (``+2.1 [1.4, 2.8]``) set apart and kept on one line."""
    from markupsafe import escape

    def interval(found: re.Match[str]) -> str:
        return f'{found[1]}\xa0<span class="interval">{found[2].replace(" ", "&nbsp;")}</span>'

    return markup(re.sub(rf"([+{words.MINUS}]?\d[\d.]*) (\[[{words.MINUS}\d., ]+\])", interval, str(escape(text))))


def _outcome(example: Example, metric: str) -> str:
    """What became of an example: ``fixed: right with 3 of 3 seeds instead of 1``."""
    better = example.score > example.baseline
    times = [value * example.seeds / 100 for value in (example.score, example.baseline)]
    if all(abs(count - round(count)) < 1e-6 for count in times):
        word = "Fixed" if better else "Broken"
        if example.seeds == 1:
            return word
        return f"{word}: right with {round(times[0])} of {example.seeds} seeds instead of {round(times[1])}"
    ends = [f"{value:.0f}" for value in (example.score, example.baseline)]
    return f"{'Better' if better else 'Worse'}: {metric} {ends[0]} instead of {ends[1]}"
