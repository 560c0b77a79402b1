"""The report as a file: whole, the same every time, and safe whatever the names in it are."""

import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from isthmus.report import plots
from isthmus.report.build import build, page
from isthmus.report.findings import Effect
from isthmus.report.summary import summarise
from isthmus.results import Chain, CurvePoint, DevPoint, Results, StageSummary, TaskFacts
from isthmus.stats.intervals import Gain
from tests.report.made_up_study import half_finished_study, made_up_study, mixed_study, small_study

#: What would run, fetch, style or fill in something if any of it came through unescaped.
NASTY = (
    """<script>alert(1)</script><img src=x onerror=alert(2)>" onload="alert(3)' {{ 7 * 7 }} $x^2$ </svg></style>&amp;"""
)
VOID = {"meta", "link", "br", "img", "hr", "input"}


@dataclass
class Parsed(HTMLParser):
    """Tags with their attributes, text by the tag it is in, and whether everything that opens closes."""

    html: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def nasty_study() -> Results:
    """A small study whose every text from data is hostile."""
    of = small_study({NASTY: {f"t{NASTY}": {"en": 5, NASTY: 9, "de": 8}}})
    curve = (CurvePoint(1, 2.0, 0.1), CurvePoint(9, 1.0, 0.1))
    dev = (DevPoint(9, NASTY, NASTY, NASTY, 50.0, 40.0, 60.0),)
    stages = (
        StageSummary(NASTY, NASTY, NASTY, "done", 3.0, 10**9, curve, warnings=(NASTY,)),
        StageSummary(NASTY, f"{NASTY}2", NASTY, "done", 3.0, 10**9, curve, dev=dev, kept_step=9),
        StageSummary(NASTY, NASTY, NASTY, "failed", error=NASTY),
        StageSummary(NASTY, NASTY, NASTY, NASTY),
    )
    renamed = tuple(replace(score, chain=replace(score.chain, model=NASTY)) for score in of.scores)
    return replace(
        of,
        study_name=NASTY,
        study_yaml=NASTY,
        tasks=(*of.tasks, TaskFacts(NASTY, NASTY, NASTY, NASTY, NASTY, NASTY, NASTY)),
        chains=(*(score.chain for score in renamed), Chain(NASTY, NASTY, NASTY, 9)),
        scores=renamed,
        stages=stages,
        versions={NASTY: NASTY},
        machine=NASTY,
        command=NASTY,
        model_notes=(NASTY,),
    )


STUDIES = {
    "whole": made_up_study(2),
    "half": half_finished_study(),
    "mixed": mixed_study(),
    "empty": Results("empty", "", (), (), (), ()),
    "nasty": nasty_study(),
}


@pytest.fixture(scope="module")
def pages() -> dict[str, Parsed]:
    return {name: Parsed(page(summarise(study))) for name, study in STUDIES.items()}


@pytest.mark.parametrize("name", STUDIES)
def test_every_report_is_well_formed_and_self_contained(pages: dict[str, Parsed], name: str) -> None:
    parsed = pages[name]
    assert not parsed.named("script", "iframe", "object", "img", "form", "base")
    (root,) = parsed.named("html")
    assert root["lang"] == "en"
    for tag, attributes in parsed.tags:
        assert not [key for key in attributes if key.startswith("on")], (tag, attributes)
        for key in ("src", "href", "xlink:href", "action", "srcset"):
            assert (attributes.get(key) or "#").startswith(("#", "data:,")), (tag, attributes)
    assert not re.search(r"url\((?!#)|@import|https?://", parsed.html.replace("http://www.w3.org/", ""))


@pytest.mark.parametrize("name", STUDIES)
def test_ids_are_there_once_and_everything_referred_to_exists(pages: dict[str, Parsed], name: str) -> None:
    parsed = pages[name]
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="#|aria-labelledby="|url\(#)([^")]+)', parsed.html)
    assert set(used) <= set(ids)


@pytest.mark.parametrize("name", STUDIES)
def test_headings_descend_one_step_at_a_time(pages: dict[str, Parsed], name: str) -> None:
    levels = [int(tag[1]) for tag, _ in pages[name].tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", STUDIES)
def test_tables_and_figures_can_be_heard(pages: dict[str, Parsed], name: str) -> None:
    assert all(attributes.get("scope") for attributes in pages[name].named("th"))
    for plot in pages[name].named("svg"):
        assert plot["role"] == "img" and plot["aria-label"]
    for attributes in [attributes for _, attributes in pages[name].tags if attributes.get("tabindex") == "0"]:
        assert attributes.get("role") == "region"
        assert attributes.get("aria-label") or attributes.get("aria-labelledby")


def test_hostile_text_is_shown_as_it_is(pages: dict[str, Parsed]) -> None:
    parsed = pages["nasty"]
    assert "<script" not in parsed.html and "<img" not in parsed.html
    assert "{{ 7 * 7 }}" in parsed.text and "49" not in parsed.text
    # The name, the headline, a note, the command, the study, a version, the machine, problems, tables and captions.
    assert parsed.text.count(NASTY) > 25


def test_hostile_text_in_a_figure_stays_text() -> None:
    effect = Effect(Gain(1.0, 0.5, 1.5, 1, 10, 10, 0.01), 0.01)
    for name in (NASTY, "$x^2$ $", "a -->b", 'id="x" url(#y)', "नमस्ते", "\\frac"):
        drawn = plots.dot_plot("plot", name, [plots.Row(name), plots.Row(name[:20], effect)], (0.0, 2.0))
        parsed = Parsed(drawn)
        assert {tag for tag, _ in parsed.tags} <= {"svg", "g", "path", "text", "use", "defs"}
        assert name.split("<")[0] in parsed.text and parsed.named("svg")[0]["aria-label"] == name


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(made_up_study(), tmp_path / f"{name}.html")
    one, two = ((tmp_path / f"{name}.html").read_bytes() for name in ("one", "two"))
    assert one == two
    assert len(one) < 1_500_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.html"]


def test_the_page_says_what_the_summary_says(pages: dict[str, Parsed]) -> None:
    summary, text = summarise(STUDIES["whole"]), pages["whole"].text.replace("\xa0", " ")
    for sentence in (summary.headline, *summary.details, *summary.caveats, *summary.model_notes):
        assert sentence in text
    for cell in summary.comparisons:
        assert all(row.name in text for row in cell.languages)
    for expected in (summary.command, summary.study_yaml.strip(), summary.machine, "Unicode-3.0", "derived"):
        assert expected in text
    assert all(stage.key[:16] in text and stage.title in text for stage in summary.stages)


def test_what_is_shown_is_said_and_not_only_coloured(pages: dict[str, Parsed]) -> None:
    text = pages["whole"].text
    assert len(re.findall(r"▲ gain shown", text)) > 5 and len(re.findall(r"▼ loss shown", text)) > 5


def test_a_failed_stage_is_shown_with_its_reason(pages: dict[str, Parsed]) -> None:
    assert "Failed" in pages["half"].text and "lower batch_size" in pages["half"].text
    assert "Nothing failed" in pages["empty"].text


def test_figures_take_the_colours_and_the_font_of_the_page(pages: dict[str, Parsed]) -> None:
    figures = re.findall(r"<svg.*?</svg>", pages["whole"].html, flags=re.S)
    assert len(figures) == 2 + 6 + 7
    for figure in figures:
        assert "font-family" not in figure
        assert not re.findall(r"#[0-9a-f]{6}", figure), "a colour that does not follow the page into the dark"


def test_each_member_of_a_mixture_has_its_curve_and_its_dev_scores_with_what_was_kept(
    pages: dict[str, Parsed],
) -> None:
    spoken = [label for tag in pages["mixed"].named("svg") if "everything" in (label := tag["aria-label"] or "")]
    losses = [label for label in spoken if label.startswith("Training loss of ")]
    assert [label.split()[3] for label in losses] == ["snli", "squad", "mlm/de", "mlm/sw"]
    assert re.fullmatch(r"Training loss of squad in train .*: from 4\.\d\d to 2\.\d\d in 571 steps", losses[1])
    dev = [label for label in spoken if label.startswith("Dev ")]
    assert [re.findall(r"of (\w+, \w+) in", label)[0] for label in dev] == [
        "snli, English",
        "snli, German",
        "squad, English",
    ]
    for label in dev:
        assert re.search(r": 4\d\.\d at step 100, (\d+\.\d) \[\d+\.\d, \d+\.\d\] at step 400, which was kept$", label)


def test_dev_curves_stay_inside_their_figure_and_mark_the_step_that_was_kept() -> None:
    points = [DevPoint(step, "a", "en", "accuracy", score, None, None) for step, score in ((5, 0.0), (10, 100.0))]
    drawn = plots.dev_curves("x", "t", [plots.DevRun(points, 5), plots.DevRun(points[:1], 7)])
    assert re.findall(r">(\d+|step 10)</text>", drawn) == ["0", "step 10", "0", "100"]
    assert drawn.count("<use ") == 1  # the dot of the first run; the second kept what it never measured


def test_what_is_no_longer_zero_shot_is_marked_and_nothing_else(pages: dict[str, Parsed]) -> None:
    assert "† Not zero-shot: dev rows in German and Swahili decided" in pages["mixed"].text
    for name in ("whole", "half"):
        assert "†" not in pages[name].html.split("</style>")[1] and "not zero-shot" not in pages[name].text


def test_long_studies_draw_the_first_curves_and_count_the_rest() -> None:
    of = made_up_study(1)
    curve = next(stage.curve for stage in of.stages if stage.curve)
    many = tuple(StageSummary(f"{n}", f"train task {n}, seed 1", "train", "done", 1.0, 1, curve) for n in range(30))
    parsed = Parsed(page(summarise(replace(of, stages=many))))
    assert "6 more curves not drawn here" in parsed.text
    assert "train task 29" in parsed.text  # among all stages


def test_a_loss_that_is_not_a_number_is_drawn_around() -> None:
    curve = (CurvePoint(1, 2.0, 0.1), CurvePoint(2, float("nan"), 0.1), CurvePoint(3, float("inf"), 0.1))
    stage = StageSummary("k", "train a", "train", "done", 1.0, 1, curve)
    text = Parsed(page(summarise(Results("s", "", (), (), (), (stage,))))).text
    assert "2.00 to" in text
