"""A report knows the scale of a run's losses from the classes of its config."""

import math

import pytest

from imagelab.config.compose import compose, plain
from imagelab.reports.of_run import facts

MIXED = "++augment.blend._target_=tests.stranger.Blend"


@pytest.mark.parametrize(
    ("words", "entropy", "mixed"),
    [
        ([], math.log(10), False),
        (["loss._target_=tests.stranger.MyLoss"], math.log(10), False),
        (["loss._target_=torch.nn.MultiMarginLoss"], None, False),
        ([MIXED], math.log(10), True),
        (["augment=[mixup]"], math.log(10), True),
        (["augment=[flip]"], math.log(10), False),
    ],
)
def test_the_chance_level_and_mixed_labels_are_known_from_the_class(words, entropy, mixed):
    known = facts(plain(compose("train", words).cfg or {}), 10, {})
    assert known.entropy == (None if entropy is None else pytest.approx(entropy))
    assert known.mixed == mixed
