"""Charts read back from their XML: lengths in proportion, words under the mouse, sizes that hold."""

from xml.etree import ElementTree

import numpy as np
import pytest

from imagelab.pages.charts import bars, histogram, matrix, scatter

SVG = "{http://www.w3.org/2000/svg}"
LABELS = {"title": "A", "x_label": "x", "y_label": "y"}


def titled(svg, tag):
    """What shows under the mouse -> the element, of all of one kind."""
    return {one.findtext(f"{SVG}title"): one for one in ElementTree.fromstring(svg).iter(f"{SVG}{tag}")}


def texts(svg):
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def number(element, name):
    return float(element.get(name))


def test_bars_are_as_long_as_their_values_and_stand_in_their_order():
    values = {"ant": {"train": 100, "val": 25}, "bee": {"train": 50}}
    drawn = titled(bars(values, title="A", y_label="images"), "rect")
    ant, val, bee = (drawn[name] for name in ("ant, train: 100", "ant, val: 25", "bee, train: 50"))
    assert number(ant, "height") == pytest.approx(4 * number(val, "height"), abs=0.3)
    assert number(ant, "height") == pytest.approx(2 * number(bee, "height"), abs=0.2)
    assert number(ant, "x") < number(val, "x") < number(bee, "x")
    assert ant.get("fill") == bee.get("fill") != val.get("fill")


def test_bars_below_zero_hang_from_it():
    drawn = titled(bars({"a": {"s": 2}, "b": {"s": -1}}, title="A", y_label="y"), "rect")
    up, down = drawn["a, s: 2"], drawn["b, s: -1"]
    assert number(up, "y") + number(up, "height") == pytest.approx(number(down, "y"), abs=0.2)


def test_a_thousand_classes_make_a_small_chart_with_names_that_do_not_touch():
    values = {f"class {i}": {"train": i, "val": 3, "test": 1000 - i} for i in range(1000)}
    svg = bars(values, title="A", y_label="images")
    assert len(svg) < 100_000
    assert 20 < len([text for text in texts(svg) if text and text.startswith("class")]) < 60
    assert len(bars({"a" * 300: {"s": 1}}, title="A", y_label="y")) < 3000


def test_a_histogram_counts_each_finite_value_once_in_bins_of_one_length():
    values = {"a": [0, 0.1, 0.9, 1, float("nan")], "b": [0.5]}
    svg = histogram(values, title="A", x_label="x", bins=2)
    assert {name for name in titled(svg, "rect") if name} == {
        "a, 0 to 0.5: 2",
        "a, 0.5 to 1: 2",
        "b, 0.5 to 1: 1",
    }
    shared = titled(histogram(values, title="A", x_label="x", bins=2, share=True), "rect")
    assert number(shared["b, 0.5 to 1: 1"], "height") == pytest.approx(
        2 * number(shared["a, 0 to 0.5: 2"], "height"), abs=0.2
    )


def test_of_very_many_points_the_lonely_ones_stay():
    rng = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in rng.normal(size=(60_000, 2))] + [(50.0, 50.0)]
    names = [str(i) for i in range(60_000)] + ["far away"]
    svg = scatter(points, **LABELS, names=names)
    drawn = [name for name in titled(svg, "path") if name]
    assert 300 < len(drawn) <= 2000
    assert "far away: 50, 50" in drawn
    assert f"A ({len(drawn):,} of 60,001 points)" in texts(svg)
    assert len(svg) < 250_000
    few = scatter([(0, 1), (1, float("nan"))], **LABELS, names=["a", "b"])
    assert [name for name in titled(few, "path") if name] == ["a: 0, 1"]


def test_points_have_the_colour_of_their_group():
    svg = scatter([(0, 0), (1, 1), (2, 0)], **LABELS, names=["a", "b", "c"], groups=["u", "v", "u"])
    colours = {
        dot.findtext(f"{SVG}title"): group.get("stroke")
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        for dot in group
    }
    assert colours["a: 0, 0"] == colours["c: 2, 0"] != colours["b: 1, 1"]


def test_cells_of_a_matrix_are_as_dark_as_their_share_of_the_row():
    svg = matrix(np.array([[8, 2, 0], [0, 5, 5], [0, 0, 0]]), ["ant", "bee", "cat"], title="A")
    shade = {name: number(cell[0], "fill-opacity") for name, cell in titled(svg, "g").items() if name}
    assert list(shade) == [
        "true ant, predicted ant: 8 (80.0%)",
        "true bee, predicted bee: 5 (50.0%)",
        "true bee, predicted cat: 5 (50.0%)",
        "true ant, predicted bee: 2 (20.0%)",
    ]
    assert sorted(shade.values(), reverse=True) == list(shade.values())
    assert {"8", "2", "5"} <= set(texts(svg))


def test_a_matrix_of_a_thousand_classes_shows_its_largest_cells():
    values = np.ones((1000, 1000)) + np.diag(np.full(1000, 40.0))
    values[3, 7] = 90
    svg = matrix(values, [str(i) for i in range(1000)], title="A")
    assert len(svg) < 450_000
    assert any(name and name.startswith("true 3, predicted 7: 90") for name in titled(svg, "g"))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: bars({}, title="A", y_label="y"),
        lambda: histogram({"a": [float("nan")]}, title="A", x_label="x"),
        lambda: scatter([], **LABELS, names=[]),
    ],
)
def test_nothing_to_draw_is_an_error_that_says_so(draw):
    with pytest.raises(ValueError, match="at least one point"):
        draw()
