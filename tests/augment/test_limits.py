import pytest

from imagelab.augment.limits import check_length, check_range, check_within, pixels
from imagelab.problem import Problem


def test_a_share_of_the_side_is_rounded_down_and_pixels_stay():
    assert [pixels(0.125, side) for side in (8, 28, 32)] == [1, 3, 4]
    assert [pixels(4.0, side) for side in (8, 28, 32)] == [4, 4, 4]


@pytest.mark.parametrize("length", [-0.1, 1.5])
def test_a_length_is_a_share_or_whole_pixels(length: float):
    with pytest.raises(Problem, match=f"x must be a share .* got {length}"):
        check_length("x", length)


def test_both_ends_are_allowed_and_what_lies_beyond_is_not():
    check_within("x", 0, 0, 1)
    check_within("x", 1, 0, 1)
    for value in (-0.01, 1.01, float("nan")):
        with pytest.raises(Problem, match=r"x must lie in \[0, 1\]"):
            check_within("x", value, 0, 1)


def test_two_bounds_must_rise():
    check_range("x", (0.5, 0.5), 0, 1)
    with pytest.raises(Problem, match=r"x must be two rising numbers within \[0, 1\], got \[0.6, 0.5\]"):
        check_range("x", (0.6, 0.5), 0, 1)
