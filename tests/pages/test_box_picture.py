# room: detection
import numpy as np

from imagelab.pages.box_picture import TRUE, WRONG, DrawnBox, with_boxes


def test_a_box_is_drawn_around_its_pixels_at_the_size_of_the_picture():
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[5:15, 10:30] = 100
    drawn = with_boxes(pixels, [DrawnBox((10, 5, 30, 15), "", TRUE)], side=80)
    assert drawn.shape == (40, 80, 3)
    green = (drawn == TRUE).all(axis=2)
    rows, columns = np.nonzero(green)
    assert (rows.min(), columns.min(), rows.max(), columns.max()) == (10, 20, 29, 59)
    assert (drawn[11:29, 21:59] == 100).all()
    assert (drawn[:10] == 0).all()


def test_words_stand_above_a_box_whatever_letters_they_have():
    pixels = np.zeros((50, 50, 3), np.uint8)
    drawn = with_boxes(pixels, [DrawnBox((5, 25, 45, 45), "bée\x1b 0.9", WRONG)], side=100)
    assert drawn[39:50].any()
    assert not drawn[:35].any()
