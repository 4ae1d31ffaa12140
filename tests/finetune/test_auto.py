"""What is chosen for which data."""

import pytest
import torch

from imagelab.finetune.auto import Auto, Likeness

VALUES = {
    "similarity": None,
    "few": 500,
    "similar_from": 0.25,
    "neighbours": 5,
    "images": 300,
    "many_different": "scratch",
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
        (499, "different", "top_half"),
        (500, "similar", "full"),
        (500, "different", "scratch"),
    ],
)
def test_each_cell_of_the_table_has_its_strategy(count, similarity, choice):
    assert auto(similarity=similarity).decide(count, None)["choice"] == choice
    found = auto().decide(count, likeness(0.25 if similarity == "similar" else 0.249))
    assert (found["choice"], found["similarity"]) == (choice, similarity)
    assert found["measured"]["features"] == 0.8


def test_many_different_images_may_still_start_from_the_weights():
    many = auto(many_different="discriminative", similarity="different")
    assert many.decide(5000, None)["choice"] == "discriminative"


def test_it_explains_its_choice():
    assert auto().decide(1234, likeness(0.5))["why"] == (
        "1,234 images per class are many (finetune.few=500), and similar to the pretraining data (accuracy "
        "of nearest neighbours among 300 images: 80% with features, 60% with pixels, 10% at chance: a gain "
        "of 0.50, finetune.similar_from=0.25): full"
    )


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_gain_is_the_fraction_of_mistakes_that_features_correct():
    centres = draw(3, 16, seed=0)
    told, noise = centres[LABELS] * 5 + draw(300, 16, seed=1), draw(300, 16, seed=2)
    best, none, worse = (
        auto().likeness(*pair, LABELS) for pair in ((told, noise), (noise, noise), (noise, told))
    )
    assert best.features == 1.0
    assert best.gain == 1.0
    assert none.gain <= 0.0
    assert worse.pixels == 1.0
    assert worse.gain < -10  # of hardly any mistakes of pixels
    partly = auto().likeness(centres[LABELS] + 2 * draw(300, 16, seed=3), noise, LABELS)
    before = max(partly.pixels, partly.chance)
    assert partly.chance == pytest.approx(1 / 3)
    assert partly.gain == pytest.approx((partly.features - before) / (1 - before))
    assert 0.1 < partly.gain < 0.9
