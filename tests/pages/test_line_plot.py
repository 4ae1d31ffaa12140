"""Lines in axes: read back from the picture's XML."""

from math import inf, nan
from xml.etree import ElementTree

import pytest

from imagelab.pages.axes import Axis
from imagelab.pages.line_plot import line_plot, side_by_side

SVG = "{http://www.w3.org/2000/svg}"
LABELS = {"title": "Rates", "x_label": "step", "y_label": "rate"}


def drawn(series, **options):
    return ElementTree.fromstring(line_plot(series, **LABELS, **options))


def lines(root):
    """Name -> places in pixels, of each line."""
    return {
        line.findtext(f"{SVG}title"): [
            tuple(map(float, pair.split(","))) for pair in (line.get("points") or "").split()
        ]
        for line in root.iter(f"{SVG}polyline")
    }


def texts(root):
    return [text.text for text in root.iter(f"{SVG}text")]


def test_there_is_one_line_a_series_with_its_points_in_proportion():
    found = lines(drawn({"a": ([0, 5, 10], [0, 1, 4]), "b": ([0, 10], [4, 0])}))
    assert list(found) == ["a", "b"]
    (left, bottom), middle, (right, top) = found["a"]
    assert left < right
    assert top < bottom  # SVG counts from the top
    assert middle == pytest.approx(((left + right) / 2, bottom + (top - bottom) / 4), abs=0.1)
    assert found["b"] == [(left, top), (right, bottom)]


def test_equal_ratios_are_equally_far_apart_on_log_axes():
    (x1, y1), (x2, y2), (x3, y3) = lines(
        drawn({"a": ([1, 10, 1000], [1e-8, 1e-2, 1])}, log_x=True, log_y=True)
    )["a"]
    assert x3 - x2 == pytest.approx(2 * (x2 - x1), abs=0.2)
    assert y1 - y2 == pytest.approx(3 * (y2 - y3), abs=0.2)


def test_what_cannot_be_drawn_is_left_out():
    series = {"a": ([0, 1, 2, 3, 4], [1, nan, inf, 0, 2])}
    assert len(lines(drawn(series))["a"]) == 3
    assert len(lines(drawn(series, log_y=True))["a"]) == 2
    with pytest.raises(ValueError, match="at least one point"):
        drawn({"a": ([1], [nan])})


def test_title_labels_and_names_are_written_whatever_they_hold():
    names = ["<a & b>", "c"]
    root = drawn({name: ([0, 1], [0, 1]) for name in names})
    assert {"Rates", "step", "rate", *names} <= set(texts(root))
    assert root.findtext(f"{SVG}title") == "Rates"


def test_each_of_twenty_lines_looks_different_and_like_its_entry_in_the_legend():
    root = drawn({str(i): ([0, 1], [i, i]) for i in range(20)})
    styles = [(group.get("stroke"), group.get("stroke-dasharray")) for group in root.iter(f"{SVG}g")]
    assert len(set(styles)) == 20
    samples = [
        (path.get("stroke"), path.get("stroke-dasharray"))
        for path in root.iter(f"{SVG}path")
        if path.get("stroke-width")
    ]
    assert samples == styles


def test_the_values_of_few_points_show_under_the_mouse():
    root = drawn({"few": ([1, 2], [0.25, 1234]), "many": (range(100), range(100))})
    titles = [circle.findtext(f"{SVG}title") for circle in root.iter(f"{SVG}circle")]
    assert titles == ["few: 1, 0.25", "few: 2, 1.23e+03"]


@pytest.mark.parametrize(
    ("low", "high", "log", "ticks"),
    [
        (0, 100, False, [0, 20, 40, 60, 80, 100]),
        (-0.13, 0.31, False, [-0.1, 0, 0.1, 0.2, 0.3]),
        (1e-3, 10, True, [1e-3, 1e-2, 0.1, 1, 10]),
        (1e-40, 1, True, [1e-40, 1e-30, 1e-20, 1e-10, 1]),
        (0.3, 2.5, True, [0.5, 1, 2]),
    ],
)
def test_ticks_are_round(low, high, log, ticks):
    assert Axis(low, high, 0, 100, log).ticks() == pytest.approx(ticks, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([1, 2, 3], [1, 2, 3]), ([1, 8], [2, 4, 6, 8]), ([4], [4]), ([1, 200], [50, 100, 150, 200])],
)
def test_values_that_are_all_whole_have_no_ticks_between_them(values, ticks):
    assert Axis.around(values, 0, 100).ticks() == ticks
    assert Axis.around([1, 1.5, 3], 0, 100).ticks() == [1, 1.5, 2, 2.5, 3]


def test_a_single_value_lies_in_the_middle_however_large_it_is():
    assert [Axis.around([value], 0, 100).pixel(value) for value in (0, 3, 0.1, 1e30)] == pytest.approx(
        [50] * 4
    )


def test_a_constant_rate_has_an_axis_of_its_own_size():
    axis = Axis.around([0.03, 0.03], 0, 100)
    assert (axis.low, axis.high) == pytest.approx((0.015, 0.045))


def test_a_single_point_has_axes_around_it():
    ((x, y),) = lines(drawn({"a": ([3], [7])}))["a"]
    assert 64 < x < 700
    assert 34 < y < 394


def test_several_plots_stand_in_rows():
    plot = line_plot({"a": ([0, 1], [0, 1])}, title="a", x_label="x", y_label="y", width=200, height=100)
    both = ElementTree.fromstring(side_by_side([plot] * 3, columns=2, width=200, height=100))
    assert (both.get("width"), both.get("height")) == ("400", "200")
    assert [(one.get("x"), one.get("y")) for one in both] == [("0", "0"), ("200", "0"), ("0", "100")]
