"""The report as a file: whole, the same every time, and safe whatever the names in it are."""

import re
from base64 import b64encode
from dataclasses import dataclass, field, replace
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.report import plots
from isthmus.report.build import build, page
from isthmus.report.findings import Effect
from isthmus.report.summary import summarise
from isthmus.report.svg import ticks
from isthmus.results import Chain, CurvePoint, DataFacts, DevPoint, Example, Results, StageSummary, TaskFacts
from isthmus.stats.intervals import Gain
from tests.report.made_up_study import half_finished_study, made_up_study, mixed_study, small_study, with_examples

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
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def nasty_study() -> Results:
    """A small study whose every text from data is hostile."""
    of = small_study({NASTY: {f"t{NASTY}": {"en": 5, NASTY: 9, "de": 8}}})
    curve = (CurvePoint(1, 2.0, 0.1, NASTY), CurvePoint(9, 1.0, 0.1, NASTY), CurvePoint(9, 1.0, 0.1, f"{NASTY}.csv"))
    dev = (DevPoint(9, NASTY, NASTY, NASTY, 50.0, 40.0, 60.0),)
    stages = (
        StageSummary(NASTY, NASTY, NASTY, "done", 3.0, 10**9, curve, warnings=(NASTY,)),
        StageSummary(NASTY, f"{NASTY}2", NASTY, "done", 3.0, 10**9, curve, dev=dev, kept_step=9),
        StageSummary(NASTY, NASTY, NASTY, "failed", error=NASTY, attempts=(NASTY,), started=NASTY),
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
        data=(DataFacts(NASTY, NASTY, NASTY, 3, NASTY, (NASTY,)),),
        paths=((NASTY,),),
        examples=(
            Example(NASTY, NASTY, f"t{NASTY}", NASTY, NASTY, ((NASTY, NASTY),), NASTY, NASTY, NASTY, 1, 0, 100, 1),
        ),
    )


STUDIES = {
    "whole": with_examples(made_up_study(2)),
    "half": half_finished_study(),
    "mixed": mixed_study(),
    "empty": Results("empty", "", (), (), (), ()),
    "nasty": nasty_study(),
}


@pytest.fixture(scope="module")
def pages() -> dict[str, Parsed]:
    return {name: Parsed(page(study)) for name, study in STUDIES.items()}


@pytest.mark.parametrize("name", STUDIES)
def test_every_report_is_well_formed_and_self_contained(pages: dict[str, Parsed], name: str) -> None:
    parsed = pages[name]
    assert not parsed.named("iframe", "object", "img", "form", "base")
    assert parsed.named("script") == [{}]
    (root,) = parsed.named("html")
    assert root["lang"] == "en"
    for tag, attributes in parsed.tags:
        assert not [key for key in attributes if key.startswith("on")], (tag, attributes)
        assert "style" not in attributes, (tag, attributes)
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
    assert parsed.html.count("<script") == 1 and "<img" not in parsed.html
    assert "{{ 7 * 7 }}" in parsed.text and "49" not in parsed.text
    # The name, the headline, a note, the command, the study, a version, the machine, problems, tables and captions.
    assert parsed.text.count(NASTY) > 25


def test_the_policy_lets_the_one_style_and_the_one_script_run_and_nothing_else(pages: dict[str, Parsed]) -> None:
    parsed = pages["nasty"]
    (policy,) = [tag["content"] or "" for tag in parsed.named("meta") if "http-equiv" in tag]
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "connect-src" not in policy
    for name in ("style", "script"):
        (text,) = re.findall(rf"<{name}>(.*?)</{name}>", parsed.html, flags=re.S)
        assert f"{name}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy


def test_the_matrix_says_in_words_what_it_says_in_colour(pages: dict[str, Parsed]) -> None:
    (matrix,) = re.findall(r'<table class="matrix.*?</table>', pages["whole"].html, flags=re.S)
    cells = re.findall(r"<td .*?</td>", matrix)
    assert len(cells) == 3 * (1 + 2)  # three intermediate tasks; the average and two targets
    for cell in cells:
        said = re.sub(r"<[^>]+>", "", cell)
        assert re.match(r"[+−]?\d+\.\d", said) and re.search(r"\[[−\d., ]+\]", said)
        assert ("up-" in cell) == ("gain shown" in said) and ("down-" in cell) == ("▼ loss shown" in said)
    assert {link[1:] for link in re.findall(r'<a class="gain" href="([^"]+)"', matrix)} == {
        tag["id"] for tag in pages["whole"].named("div") if (tag.get("id") or "").startswith("gain-")
    }


def test_examples_are_quoted_with_what_became_of_them_and_can_be_left_out(pages: dict[str, Parsed]) -> None:
    text = pages["whole"].text
    for said in ("Fixed: right with 2 of 2 seeds instead of 0", "instead of 1", "Worse: accuracy 33 instead of 66"):
        assert said in text
    assert "The page quotes 27 test examples" in text and "รถไฟมาสาย" in text
    bare = Parsed(page(made_up_study(2))).text
    assert "The page quotes" not in bare and "รถไฟมาสาย" not in bare


def test_hostile_text_in_a_figure_stays_text() -> None:
    effect = Effect(Gain(1.0, 0.5, 1.5, 1, 10, 10, 0.01), 0.01)
    for name in (NASTY, "$x^2$ $", "a -->b", 'id="x" url(#y)', "नमस्ते", "\\frac"):
        drawn = plots.dot_plot(name, [plots.Row(name), plots.Row(name[:20], effect)], (0.0, 2.0))
        parsed = Parsed(drawn)
        assert {tag for tag, _ in parsed.tags} <= {"svg", "path", "text"}
        assert name.split("<")[0] in parsed.text and parsed.named("svg")[0]["aria-label"] == name


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(with_examples(made_up_study()), tmp_path / f"{name}.html")
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
    assert len([figure for figure in figures if 'class="plot"' in figure]) == 2 + 6 + 7
    for figure in figures:
        assert "font-family" not in figure and "style" not in figure
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
    drawn = plots.dev_curves("t", [plots.DevRun(points, 5), plots.DevRun(points[:1], 7)])
    assert re.findall(r">(\d+|step 10)</text>", drawn) == ["0", "step 10", "0", "100"]
    assert drawn.count('class="dot') == 1  # the dot of the first run; the second kept what it never measured


def test_what_is_no_longer_zero_shot_is_marked_and_nothing_else(pages: dict[str, Parsed]) -> None:
    assert "† Not zero-shot: dev rows in German and Swahili decided" in pages["mixed"].text
    for name in ("whole", "half"):
        assert "†" not in pages[name].html.split("</style>")[1] and "not zero-shot" not in pages[name].text


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_ticks_are_round_evenly_apart_and_inside(low: float, width: float) -> None:
    found = ticks(low, low + width)
    assert 1 <= len(found) <= 6 and all(low - 1e-6 <= tick <= low + width + 1e-6 for tick in found)
    steps = {round(after - before, 9) for before, after in pairwise(found)}
    assert len({f"{step:.1e}"[0] for step in steps}) <= 1 and {f"{step:.1e}"[0] for step in steps} <= set("125")


def test_a_size_curve_has_its_sizes_on_a_logarithmic_axis() -> None:
    effects = [Effect(Gain(float(n), n - 1.0, n + 1.0, 1, 10, 10, 0.01), 0.01) for n in (1, 2, 3)]
    points = [plots.SizePoint(rows, effect) for rows, effect in zip((100, 1000, 10_000), effects, strict=True)]
    parsed = Parsed(plots.size_curve("gains", points, plots.limits(effects)))
    places = [float(tag["d"].split()[0][1:]) for tag in parsed.named("path") if tag["class"] == "dot up" and tag["d"]]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)
    assert all(f"{rows:,}" in parsed.text for rows in (100, 1000, 10_000))


def test_long_studies_draw_the_first_curves_and_count_the_rest() -> None:
    of = made_up_study(1)
    curve = next(stage.curve for stage in of.stages if stage.curve)
    many = tuple(StageSummary(f"{n}", f"train task {n}, seed 1", "train", "done", 1.0, 1, curve) for n in range(30))
    parsed = Parsed(page(replace(of, stages=many)))
    assert "6 more curves not drawn here" in parsed.text
    assert "train task 29" in parsed.text  # among all stages


def test_a_loss_that_is_not_a_number_is_drawn_around() -> None:
    curve = (CurvePoint(1, 2.0, 0.1), CurvePoint(2, float("nan"), 0.1), CurvePoint(3, float("inf"), 0.1))
    stage = StageSummary("k", "train a", "train", "done", 1.0, 1, curve)
    text = Parsed(page(Results("s", "", (), (), (), (stage,)))).text
    assert "2.00 to" in text
