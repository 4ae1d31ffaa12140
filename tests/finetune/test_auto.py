"""What is chosen for which data."""

import itertools
import re

import pytest
import torch
import yaml

from imagelab.finetune.auto import Auto, Likeness
from tests.documents import ROOT

VALUES = {
    "similarity": None,
    "few": 500,
    "similar_from": 0.25,
    "neighbours": 5,
    "images": 300,
}
LABELS = torch.arange(300) % 3


def auto(**changes) -> Auto:
    return Auto(**(VALUES | changes))


def likeness(gain: float) -> Likeness:
    return Likeness(features=0.8, pixels=0.6, chance=0.1, gain=gain, images=300)


@pytest.mark.parametrize(
    ("count", "similarity", "choice"),
    [
        (499, "similar", "linear_probe"),
        (499, "different", "discriminative"),
        (500, "similar", "discriminative"),
        (500, "different", "discriminative"),
    ],
)
def test_each_cell_of_the_table_has_its_strategy(count, similarity, choice):
    assert auto(similarity=similarity).decide(count, None)["choice"] == choice
    found = auto().decide(count, likeness(0.25 if similarity == "similar" else 0.249))
    assert (found["choice"], found["similarity"]) == (choice, similarity)
    assert found["measured"]["features"] == 0.8


def test_where_strategies_were_measured_its_choice_is_within_two_points_of_the_best():
    table = (ROOT / "benchmarks" / "results" / "transfer_small.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) [^|]*\| ([\d.]+) [^|]*\| ([\d.]+) ", table, re.MULTILINE)
    measured = {name: dict(zip((20, 100, 1000), map(float, found), strict=True)) for name, *found in rows}
    assert len(measured) == 8
    cfg = yaml.safe_load((ROOT / "configs" / "finetune" / "auto.yaml").read_text(encoding="utf-8"))
    del cfg["_target_"]
    for count, gain in itertools.product((20, 100, 1000), (0.2, 0.53)):  # what a linear probe reached at most
        best = max(found[count] for found in measured.values())
        choice = Auto(**cfg).decide(count, likeness(gain))["choice"]
        assert best - measured[choice][count] < 2
        assert best - measured["linear_probe"][count] > 15
    for gain in (0.8, 0.9):  # ants and bees, blood cells; ImageNet weights
        assert Auto(**cfg).decide(10, likeness(gain))["choice"] == "linear_probe"


def test_it_explains_its_choice():
    assert auto().decide(1234, likeness(0.5))["why"] == (
        "1,234 images per class are many (finetune.few=500), and similar to the pretraining data (accuracy "
        "of nearest neighbours among 300 images: 80% with features, 60% with pixels, 10% at chance: a gain "
        "of 0.50, finetune.similar_from=0.25): discriminative"
    )


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_gain_is_the_fraction_of_mistakes_at_chance_that_features_avoid():
    centres = draw(3, 16, seed=0)
    told, noise = centres[LABELS] * 5 + draw(300, 16, seed=1), draw(300, 16, seed=2)
    best, none, worse = (
        auto().likeness(*pair, LABELS) for pair in ((told, noise), (noise, noise), (noise, told))
    )
    assert best.features == 1.0
    assert best.gain == 1.0
    assert abs(none.gain) < 0.2
    assert (worse.pixels, best.pixels < 0.6) == (1.0, True)
    both = auto().likeness(told, told, LABELS)
    assert both.gain == best.gain  # what pixels tell apart as well need not be learnt anew
    partly = auto().likeness(centres[LABELS] + 2 * draw(300, 16, seed=3), noise, LABELS)
    assert partly.chance == pytest.approx(1 / 3)
    assert partly.gain == pytest.approx((partly.features - 1 / 3) / (2 / 3))
    assert 0.1 < partly.gain < 0.9
