"""Mistakes in what a table is given, and what it says about its rows."""

import re

import pytest

from imagelab.pages.table import table


def test_a_filter_by_a_column_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"columns \(a, b\), got c"):
        table(["a", "b"], [], filters=["c"])


def test_a_row_with_too_few_cells_is_refused():
    with pytest.raises(ValueError, match="of 2 columns wants rows of as many cells, got 1"):
        table(["a", "b"], [(1,)])


def test_a_drop_down_holds_each_value_once_in_order():
    html = table(["n"], [(10,), ("b",), (9,), ("b",), (None,)], filters=["n"])
    assert re.findall(r"<option>(.*?)</option>", html) == ["9", "10", "b"]


@pytest.mark.parametrize(
    ("rows", "of", "said"),
    [(1, None, "1 row"), (3, 3, "3 rows"), (1000, 60_000, "1,000 rows, the first of 60,000")],
)
def test_it_says_how_many_of_how_many_rows_it_shows(rows, of, said):
    assert f">{said}</output>" in table(["a"], [(1,)] * rows, of=of)


def test_short_tables_have_no_search_and_long_ones_have():
    assert "search" not in table(["a"], [(1,)] * 7)
    assert "search" in table(["a"], [(1,)] * 8)


def test_numbers_stand_right_and_keep_more_digits_to_sort_by_than_they_show():
    html = table(["a"], [(1 / 3,), (60_000,)])
    assert '<th scope="col" class="number">' in html
    assert '<td class="number" data-v="0.3333333">0.3333</td>' in html
    assert '<td class="number">60,000</td>' in html
    assert "number" not in table(["a"], [(1,), ("two",)])
