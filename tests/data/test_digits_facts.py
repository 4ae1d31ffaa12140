import numpy as np
import pytest

from imagelab.data.digits import Digits
from imagelab.data.digits_facts import DigitsFacts, loops

DIGITS = Digits().splits["train"].labels


def test_its_labels_are_facts_of_the_digit_and_of_its_strokes():
    source = DigitsFacts(takes="multilabel")
    facts = dict(zip(source.classes, source.splits["train"].labels.T, strict=True))
    assert (facts["even"] == (DIGITS % 2 == 0)).all()
    assert (facts["above_four"] == (DIGITS > 4)).all()
    shares = {digit: facts["loop"][digit == DIGITS].mean() for digit in range(10)}
    assert min(shares[0], shares[6], shares[8]) > 0.8
    assert max(shares[1], shares[5]) < 0.1


def test_a_loop_is_background_that_strokes_enclose():
    ring = np.zeros((6, 6), dtype=np.uint8)
    ring[1:5, 1:5] = 255
    ring[2:4, 2:4] = 0
    open_ring = ring.copy()
    open_ring[2, 1] = 0
    assert loops(np.stack([ring, open_ring, 255 - ring])).tolist() == [True, False, True]


def test_its_values_are_ink_in_percent_and_slant_in_degrees():
    source = DigitsFacts(takes="values")
    ink, slant = source.splits["train"].labels.T
    assert source.classes == ["ink", "slant"]
    images = Digits().splits["train"].images
    assert ink == pytest.approx(images.float().mean(dim=(1, 2, 3)).numpy() / 2.55, rel=1e-5)
    assert slant[DIGITS == 7].mean() > slant[DIGITS == 6].mean() + 10
