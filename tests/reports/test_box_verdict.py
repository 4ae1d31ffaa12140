# room: detection
"""Each state of a detector's run is recognised by its numbers, and none speaks of classes or accuracy."""

import numpy as np
import pytest

from imagelab.reports.box_verdict import BOX_MEANINGS, box_verdict
from imagelab.reports.curve_numbers import MEANINGS
from imagelab.reports.curves import Curves
from imagelab.reports.verdict import Facts

EPOCHS = 20
SETTLED = 0.6 * (1 - np.exp(-np.arange(1, EPOCHS + 1) / 3))
FALLEN = np.concatenate([SETTLED[:10], np.linspace(SETTLED[9], 0.4, 10)])
LOSS = 1 + 2 * np.exp(-np.arange(EPOCHS) / 3)
RISEN = np.concatenate([LOSS[:8], np.linspace(LOSS[7], 1.6, 12)])


def curves(ap=SETTLED, train=LOSS, val=LOSS + 0.05, epochs=EPOCHS) -> Curves:
    parts = {"ap": ap, "ap50": 1.5 * ap, "loss": val}
    cut = {name: values[:epochs] for name, values in parts.items()}
    return Curves(epochs=np.arange(1.0, epochs + 1), train=train[:epochs], losses=train[:1], val={"val": cut})


@pytest.mark.parametrize(
    ("state", "given"),
    [
        ("healthy", {}),
        ("healthy", {"val": RISEN}),  # boxes get surer, and AP does not fall
        ("too early to say", {"epochs": 3}),
        ("train longer", {"ap": np.linspace(0.01, 0.5, EPOCHS)}),
        ("train longer", {"ap": np.zeros(EPOCHS), "train": np.linspace(3, 1, EPOCHS)}),
        ("not learning", {"ap": np.zeros(EPOCHS), "train": np.linspace(3, 2.9, EPOCHS)}),
        ("not generalising", {"ap": np.zeros(EPOCHS)}),
        ("overfitting", {"ap": FALLEN, "val": RISEN}),
        ("overfitting", {"train": LOSS - 0.9, "val": LOSS}),
        ("underfitting", {"ap": SETTLED / 3}),
        ("diverged", {"train": np.full(EPOCHS, np.nan)}),
        ("LR too high", {"train": LOSS + 0.7 * (-1) ** np.arange(EPOCHS)}),
    ],
)
def test_each_state_has_its_numbers(state, given):
    judged = box_verdict(curves(**given), Facts(entropy=None))
    assert judged.state == state, judged
    assert not {"accuracy", "chance"} & {*judged.why.split()}
    assert judged.numbers.keys() <= (MEANINGS | BOX_MEANINGS).keys()
    assert "chance" not in judged.numbers


def test_without_validation_the_state_says_so():
    only = Curves(epochs=np.arange(1.0, EPOCHS + 1), train=LOSS, losses=LOSS[:1])
    assert box_verdict(only, Facts(entropy=None)).state == "no validation"


def test_numbers_of_ap_are_those_of_the_curve():
    numbers = box_verdict(curves(ap=FALLEN), Facts(entropy=None)).numbers
    assert numbers["ap_best_epoch"] == 10
    assert numbers["ap_best"] == pytest.approx(SETTLED[9], abs=0.02)
    assert numbers["ap"] == pytest.approx(0.4, abs=0.02)
    assert numbers["first"] == 3.0
