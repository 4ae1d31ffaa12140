# room: checks
"""Checks that train end once the answer is sure, and are sure for a reason."""

import re

import numpy as np
import pytest
from scipy.stats import entropy

from imagelab.checks.capacity import LEARNT, STEPS, larger_sample
from imagelab.checks.chance import levels
from imagelab.checks.learning import GAP, _short, without_images, zeroed_input
from tests.zoo import BLOBS, DIGITS, KINDS, subject


def test_the_lowest_loss_without_images_is_the_entropy_of_the_labels_of_val():
    checked = subject([*BLOBS, "data.rare=true", *KINDS["A"]])
    counts = np.bincount(checked.unseen.labels)
    assert without_images(checked) == pytest.approx(entropy(counts), rel=1e-3)
    assert entropy(counts) < 0.8 * np.log(4)


def test_training_on_black_images_stays_above_the_lowest_loss_without_images():
    checked = subject([*BLOBS, "data.rare=true", *KINDS["A"]])
    assert _short(checked, 1.0, 40, images="black").val > (1 - GAP / 2) * without_images(checked)


def test_black_images_are_left_alone_if_images_clearly_help():
    checked = subject([*DIGITS, *KINDS["A"]])
    found = zeroed_input(checked)
    assert (found.status, "the lowest without images" in found.value) == ("OK", True)
    trained = [key[-1] for key in checked.pictures if isinstance(key, tuple) and key[0] == "short"]
    assert trained == ["training"]


def test_a_sample_that_is_memorised_early_takes_no_more_steps():
    checked = subject([*DIGITS, *KINDS["A"]])
    found = larger_sample(checked)
    loss, steps = map(float, re.findall(r"loss (\S+) after (\d+) steps", found.value)[0])
    assert found.status == "OK"
    assert loss < levels(checked).at(LEARNT)
    assert steps < STEPS / 2
