"""A page in a browser: what it shows, how its tables answer, and that nothing foreign runs."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from imagelab.finding import Finding
from imagelab.pages.charts import bars, histogram, matrix, scatter
from imagelab.pages.line_plot import line_plot
from imagelab.pages.page import Section, page
from imagelab.pages.picture import Picture, gallery, thumbnail
from imagelab.pages.table import table
from tests.browser import load

NASTY = "<img src=x onerror=\"document.title='run'\">\"'&.jpg"
BYTES = b"caf\xe9\x1b[31m.jpg".decode("utf-8", "surrogateescape")  # a file name that is no UTF-8
ONE = Finding(name="loss", status="OK", value=2.3, expected="ln 10", why="As it is.", fix="", seconds=0.5)
FINDINGS = [
    ONE,
    replace(ONE, name=NASTY, status="FAIL", value=[NASTY, BYTES], why=NASTY, fix=f"Run `{NASTY}`."),
    replace(ONE, name="images", status="INFO", value=60_000),
    replace(ONE, name="pairs", status="WARN", value={"near": 445, NASTY: None}),
]
ROWS = [
    ("img10.jpg", "cat", 1_234, 0.25),
    ("img9.jpg", "dog", 99, None),
    ("img1.jpg", "cat", 60_000, -1e-7),
    (NASTY, "dog", 7, 3.5),
    (BYTES, "emu", 7, float("inf")),
]

LOOK = Path(__file__).with_name("look_at_page.js").read_text()


def chart_of_each_kind():
    points = [(float(i), float(i % 7)) for i in range(50)]
    return [
        bars({"cat": {"train": 3, NASTY: 4}}, title=NASTY, y_label="images"),
        histogram({NASTY: [1, 2, 2], BYTES: [3]}, title="How often", x_label=NASTY),
        scatter(points, title="Points", x_label="x", y_label="y", names=[NASTY, BYTES] * 25),
        matrix(np.array([[3, 1], [0, 2]]), [NASTY, BYTES], title=BYTES),
        line_plot({NASTY: ([0, 1], [0, 1])}, title="Line", x_label=BYTES, y_label="y"),
    ]


def pictures(count, side=24):
    rng = np.random.default_rng(0)
    return [Picture(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), NASTY) for _ in range(count)]


def whole_page():
    rows = [(*row, picture) for row, picture in zip(ROWS, pictures(5), strict=True)]
    listed = table(["file", "class", "bytes", "score", "look"], rows, filters=["class"], of=60_000)
    sections = [
        Section("Images", f"See `code` and {NASTY}", listed),
        Section("Charts", "", "".join(chart_of_each_kind())),
        Section(NASTY, BYTES, gallery(pictures(3)) + thumbnail(pictures(1)[0])),
    ]
    return page(title=f"Look {BYTES}", summary=NASTY, findings=FINDINGS, sections=sections)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a browser in dark mode shows of the page; `errors` are those of its console."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(whole_page(), encoding="utf-8")
    loaded = load(path, LOOK, "--blink-settings=preferredColorScheme=0")
    return loaded.returned | {"errors": loaded.errors}


def test_all_of_it_is_there_and_the_console_is_silent(seen):
    assert seen["errors"] == []
    assert seen["loaded"] == [True] * 9
    assert seen["svgs"] == 5
    assert seen["tips"] > 60
    assert seen["links"] == ["Findings", "Images", "Charts", NASTY]
    assert seen["heading"] == r"Look caf\udce9\x1b[31m.jpg"
    assert seen["fits"]


def test_a_click_sorts_by_number_or_name_and_a_second_one_turns_it_round(seen):
    numbered = [name for name in seen["names"] if name.startswith("img")]
    assert numbered == ["img1.jpg", "img9.jpg", "img10.jpg"]
    assert seen["sizes"] == ["7", "7", "99", "1,234", "60,000"]
    assert seen["reversed"] == ["60,000", "1,234", "99", "7", "7"]
    assert seen["state"] == [None, None, "descending", None, None]
    assert seen["emptyLast"] == [["-1e-07", "0.25", "3.5", "inf", ""], ["inf", "3.5", "0.25", "-1e-07", ""]]
    assert seen["urgent"] == ["FAIL", "WARN", "OK", "INFO"]


def test_search_and_drop_downs_narrow_the_rows_together_and_their_number_is_said(seen):
    assert seen["cats"] == [["1,234", "60,000"], "2 of 5 rows, the first of 60,000"]
    assert seen["both"] == [["1,234"], "1 of 5 rows, the first of 60,000"]
    assert seen["searched"] == seen["both"]
    assert seen["across"] == [
        [],
        "0 of 5 rows, the first of 60,000",
    ]  # the end of one cell, the start of the next
    assert seen["none"] == [[], "0 of 5 rows, the first of 60,000"]
    assert seen["all"] == [["7", "7", "99", "1,234", "60,000"], "5 rows, the first of 60,000"]


def test_the_name_of_a_file_is_text_and_never_runs(seen):
    assert seen["title"].startswith("Look ")
    assert seen["handlers"] == 0


def test_in_the_dark_page_and_charts_are_dark(seen):
    assert seen["dark"]
    assert seen["paper"] == "rgb(20, 23, 27)"
    assert seen["charts"] == ["rgb(20, 23, 27)"] * 5


def test_even_a_script_that_got_in_does_not_run(tmp_path):
    path = tmp_path / "page.html"
    bad = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
    bad += '<img src="https://example.org/a.png">'
    path.write_text(page(title="Look", summary="", findings=[], sections=[Section("Bad", "", bad)]))
    loaded = load(path, "return document.title")
    assert loaded.returned == "Look"
    assert len(loaded.errors) >= 3  # this is also how the other tests would know
    assert all("Content Security Policy" in error for error in loaded.errors)


class References(HTMLParser):
    """What a page asks others for."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "action", "xlink:href")]
        self.found += [tag] if tag in ("link", "iframe", "object", "base") else []


def test_nothing_is_asked_of_a_network():
    text = whole_page()
    parser = References()
    parser.feed(text)
    assert len(parser.found) > 10
    assert all(value.startswith(("data:image/webp;base64,", "#")) for value in parser.found)
    assert set(re.findall(r"https?://[^\"' <]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(", text)


def test_a_page_of_a_thousand_images_stays_below_a_megabyte():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (1000, 6, 6, 3)).repeat(16, 1).repeat(16, 2)
    noisy = np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)
    many = [Picture(pixels, f"train/class{i % 10}/{i:06}.jpg") for i, pixels in enumerate(noisy)]
    rows = [(one.caption, i % 10, float(i) / 7, i * 1000, "train", None) for i, one in enumerate(many)]
    names = [one.caption for one in many]
    points = [(float(x), float(y)) for x, y in rng.normal(size=(1000, 2))]
    body = [
        gallery(many),
        table(["file", "class", "score", "bytes", "split", "note"], rows, filters=["split"]),
        scatter(points, title="Points", x_label="x", y_label="y", names=names),
    ]
    text = page(title="A", summary="", findings=[ONE] * 20, sections=[Section("B", "", "".join(body))])
    assert 500_000 < len(text.encode()) < 1_000_000
