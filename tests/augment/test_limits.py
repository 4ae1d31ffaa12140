from imagelab.augment.limits import pixels


def test_a_share_of_the_side_is_rounded_down_and_pixels_stay():
    assert [pixels(0.125, side) for side in (8, 28, 32)] == [1, 3, 4]
    assert [pixels(4.0, side) for side in (8, 28, 32)] == [4, 4, 4]
