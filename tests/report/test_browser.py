"""The report in a real browser: what a person with a phone, a keyboard, the lights out or weak eyes meets."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from isthmus.report.build import build
from isthmus.report.words import intermediate
from isthmus.results import Results
from tests.report.made_up_study import half_finished_study, made_up_study, mixed_study, small_study, with_examples
from tests.report.test_build import NASTY, nasty_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

LONG = "no-place-to-break-" * 9 + "x" * 160


def long_study() -> Results:
    """Names that no screen is wide enough for."""
    of = small_study({LONG: {LONG: {"en": 5, LONG: 9, "de": 8}}})
    return replace(of, study_name=LONG, command=LONG, study_yaml=f"name: {LONG}\n", machine=LONG, model_notes=(LONG,))


STUDIES = {
    "whole": with_examples(made_up_study(2)),
    "half": half_finished_study(),
    "mixed": mixed_study(),
    "nasty": nasty_study(),
    "long": long_study(),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    for name, study in STUDIES.items():
        build(study, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in STUDIES}


class Opened:
    """A report on a screen, and whatever went wrong or out on the way."""

    def __init__(self, browser: "Browser", file: Path, width: int, scheme: str) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def unfold(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


@pytest.fixture
def open_report(browser: "Browser", files: dict[str, Path]) -> Iterator:
    opened: list[Opened] = []

    def opening(name: str, width: int = 1280, scheme: str = "light") -> Opened:
        opened.append(Opened(browser, files[name], width, scheme))
        return opened[-1]

    yield opening
    for one in opened:
        one.context.close()


OUTSIDE = """() => [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('.wide, pre, svg, .skip') && e.getBoundingClientRect().right > innerWidth + 0.5)
    .map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_is_fetched_nothing_complained_of_and_nothing_wider_than_the_screen(
    open_report, files: dict[str, Path], name: str
) -> None:
    opened = open_report(name, 360)
    opened.unfold()
    for width in (360, 768, 1280):
        opened.page.set_viewport_size({"width": width, "height": 800})
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        assert opened.page.evaluate(OUTSIDE) == []
    opened.page.wait_for_load_state("networkidle")
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [files[name].as_uri()]


def test_a_phone_shows_the_answer_first_and_letters_of_at_least_ten_pixels(open_report) -> None:
    page = open_report("whole", 360).page
    box = page.locator("h1").bounding_box()
    assert box["y"] + box["height"] < 640
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('svg text')].map(t => {
            const svg = t.ownerSVGElement;
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            return parseFloat(getComputedStyle(t).fontSize) * scale;
        })"""
    )
    assert len(sizes) > 100 and min(sizes) >= 10


#: The least contrast (WCAG 2) by kind of text, over every text on the page that can be seen.
CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const known = new Map();
    const rgba = colour => {
        if (!known.has(colour)) {
            canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; known.set(colour, [r, g, b, a / 255]);
        }
        return known.get(colour);
    };
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
    const luminance = c => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
        const v = c[i] / 255; return sum + weight * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    }, 0);
    const backgrounds = new Map([[null, [255, 255, 255, 1]]]);
    const behind = element => {
        if (!backgrounds.has(element)) {
            const own = rgba(getComputedStyle(element).backgroundColor);
            backgrounds.set(element, over(own, behind(element.parentElement)));
        }
        return backgrounds.get(element);
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement, style = getComputedStyle(element);
        if (!node.data.trim() || !element.checkVisibility() || element.closest('.unseen, .skip')) continue;
        const background = behind(element);
        const colour = over(rgba(element.closest('svg') ? style.fill : style.color), background);
        const [light, dark] = [luminance(colour), luminance(background)].sort((a, b) => b - a);
        const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        const ratio = (light + 0.05) / (dark + 0.05);
        found.push({ratio, least: large ? 3 : 4.5, text: node.data.trim().slice(0, 40)});
    }
    return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_and_every_mark_stands_out_from_its_background(open_report, scheme: str) -> None:
    whole, half = open_report("whole", scheme=scheme), open_report("half", scheme=scheme)
    page = whole.page
    red = int(page.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/)[0]"))
    assert red > 200 if scheme == "light" else red < 60
    for each in (whole, half):
        each.unfold()
    for shown in (page, half.page):
        found = shown.evaluate(CONTRAST)
        assert len(found) > 500
        assert [text for text in found if text["ratio"] < text["least"]] == []
    page.evaluate(
        """() => { const card = document.querySelector('main > section .cards .card'); card.textContent = '';
            for (const name of ['up', 'down', 'unclear', 'focus']) {
                const mark = document.createElement('p'); mark.textContent = `mark ${name}`;
                mark.style.color = `var(--${name})`; card.append(mark);
            } }"""
    )
    marks = [found["ratio"] for found in page.evaluate(CONTRAST) if found["text"].startswith("mark ")]
    assert len(marks) == 4 and min(marks) >= 3


FOCUSABLE = """() => [...document.querySelectorAll('a[href], summary, [tabindex="0"], button, input')]
    .filter(e => e.checkVisibility())"""
FOCUSED = f"""() => {{
    const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
    return {{
        place: ({FOCUSABLE})().indexOf(e), name: e.outerHTML.slice(0, 80),
        ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
        seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    }};
}}"""


@pytest.mark.parametrize("unfolded", [False, True])
def test_tab_goes_through_the_page_in_reading_order_and_shows_where_it_is(open_report, unfolded: bool) -> None:
    opened = open_report("whole", 360)
    if unfolded:
        opened.unfold()
    many = opened.page.evaluate(f"({FOCUSABLE})().length")
    assert many > 20
    stops = []
    for _ in range(many):
        opened.page.keyboard.press("Tab")
        opened.page.wait_for_timeout(5)
        stops.append(opened.page.evaluate(FOCUSED))
    assert [stop["place"] for stop in stops] == list(range(many))
    assert [stop for stop in stops if not (stop["ring"] and stop["seen"])] == []


def test_the_first_stop_skips_to_the_answer(open_report) -> None:
    page = open_report("whole").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "answer"


def test_tables_unfold_by_keyboard_and_scroll_by_keyboard(open_report) -> None:
    page = open_report("whole", 360).page
    fold = page.locator("details", has_text="All intermediate tasks on intents").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.evaluate("d => d.open")
    region = fold.locator(".wide")
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("e => e.scrollLeft > 0", arg=region.element_handle(), timeout=2000)


def test_hostile_names_are_read_as_they_are_written(open_report) -> None:
    opened = open_report("nasty")
    opened.unfold()
    assert intermediate(NASTY) in opened.page.locator("h1").inner_text().replace("\xa0", " ")
    assert NASTY in opened.page.locator(".study").inner_text()
    assert opened.page.evaluate("document.querySelectorAll('script, img, iframe').length") == 1  # the page's own
    drawn = opened.page.evaluate("[...document.querySelectorAll('svg text')].map(t => t.textContent)")
    assert any(text.startswith("<script>alert(1)</") for text in drawn)
    assert opened.complaints == []


def column(page: "Page", place: int) -> list[float]:
    """The figures of a column of the matrix, from the top."""
    cells = page.locator(f".matrix tbody tr > :nth-child({place})").all_inner_texts()
    return [float(cell.split()[0].replace("−", "-").rstrip("▲▼†")) for cell in cells]


def test_the_head_of_a_column_sorts_the_rows_by_mouse_and_by_keyboard(open_report) -> None:
    page = open_report("whole").page
    head = page.locator(".matrix thead th", has_text="emoji-names")
    place = head.evaluate("e => e.cellIndex + 1")
    before = column(page, place)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending" and column(page, place) == sorted(before, reverse=True)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending" and column(page, place) == sorted(before)
    other = page.locator(".matrix thead th", has_text="intents")
    other.get_by_role("button").focus()
    page.keyboard.press("Space")
    assert (head.get_attribute("aria-sort"), other.get_attribute("aria-sort")) == (None, "descending")


def test_the_head_of_a_row_sorts_the_targets_and_leaves_the_averages(open_report) -> None:
    page = open_report("whole").page
    row = page.locator(".matrix tbody tr", has=page.get_by_role("button", name="paraphrase"))
    row.get_by_role("button").click()
    heads = page.locator(".matrix thead th button").all_inner_texts()
    assert heads == ["First", "All targets", "emoji-names", "intents"]  # +10 before -6.7
    row.get_by_role("button").click()
    assert page.locator(".matrix thead th button").all_inner_texts() == [
        "First",
        "All targets",
        "intents",
        "emoji-names",
    ]
    assert row.locator("th").get_attribute("aria-sort") == "ascending"


def test_a_figure_of_the_matrix_leads_to_its_languages_which_can_be_sorted_and_filtered(open_report) -> None:
    opened = open_report("whole")
    page = opened.page
    page.locator(".matrix a").first.click()
    drill = page.locator(f"#{page.url.rpartition('#')[2]}")
    assert drill.is_visible() and drill.evaluate("e => e === document.activeElement")
    drill.get_by_role("button", name="Language").click()
    table = drill.locator("table").first
    names = [name.removesuffix(" (trained)") for name in table.locator("tbody th").all_inner_texts()]
    assert names == sorted(names) and len(names) > 10
    drill.get_by_role("searchbox").first.fill("uralic")
    assert sorted(table.locator("tbody tr:visible th").all_inner_texts()) == ["Estonian", "Finnish", "Hungarian"]
    assert opened.complaints == []


def test_without_scripts_the_page_says_the_same(browser: "Browser", files: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(files["whole"].as_uri())
    assert page.locator("button, input").count() == 0 and page.locator(".matrix a").count() == 6
    page.locator(".matrix a").first.click()
    assert page.locator("#gain-1-1").is_visible()  # the browser unfolds what is linked to
    context.close()


def test_what_gets_into_a_page_by_mistake_does_not_run(open_report) -> None:
    page = open_report("whole").page
    page.evaluate(
        """() => { const made = document.createElement('script'); made.textContent = 'window.ran = 1';
            document.body.append(made);
            document.body.insertAdjacentHTML('beforeend', '<b onclick="window.ran = 2">x</b>');
            document.querySelector('b[onclick]').click(); }"""
    )
    assert page.evaluate("window.ran === undefined")
