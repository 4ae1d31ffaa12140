"""The verdict is right on simulated curves, including those that the rules were not tuned on."""

import math
from types import ModuleType

import numpy as np
import pytest

from imagelab.reports.curve_numbers import MEANINGS
from imagelab.reports.curves import Curves
from imagelab.reports.verdict import Facts, _state, verdict
from tests.reports import made_to_test, made_to_tune

EACH = 40  # seeds a state
CHANCE = math.log(10)


def curves(train: list[float], val: list[float] | None) -> Curves:
    found = {} if val is None else {"val": {"loss": np.array(val)}}
    return Curves(epochs=np.arange(1.0, len(train) + 1), train=np.array(train), val=found)


def state(train: list[float], val: list[float] | None, **facts) -> str:
    return verdict(curves(train, val), Facts(entropy=CHANCE, **facts)).state


@pytest.mark.parametrize("maker", [made_to_tune, made_to_test], ids=["tuned on", "never tuned on"])
def test_at_least_nine_of_ten_simulated_curves_get_their_state(maker: ModuleType):
    right = dict.fromkeys(maker.STATES, 0)
    for name in maker.STATES:
        for seed in range(EACH):
            made, chance = maker.made(name, seed)
            right[name] += verdict(made, Facts(entropy=chance)).state == name
    assert sum(right.values()) >= 0.9 * EACH * len(right), right
    assert min(right.values()) >= 0.75 * EACH, right


def test_the_numbers_are_those_of_the_curves_and_appear_in_the_sentence():
    rising = curves([2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01], [2.0, 1.2, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    found = verdict(rising, Facts(entropy=CHANCE))
    assert found.state == "overfitting"
    assert found.numbers["val_best"] == 1.0
    assert found.numbers["val_best_epoch"] == 3
    assert found.numbers["val_rise"] == pytest.approx(0.5 / (CHANCE - 1), abs=1e-4)
    assert "lowest (1) in epoch 3 of 8 and rose to 1.5, while the training loss fell to 0.01" in found.why


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("first", [1, 7, 10])
def test_a_validation_loss_that_is_no_number_in_the_end_is_not_healthy(broken, first):
    train = [2.0 * 0.5**epoch + 0.1 for epoch in range(10)]
    val = [loss + 0.05 for loss in train]
    assert state(train, val) == "healthy"
    found = verdict(curves(train, val[: first - 1] + [broken] * (11 - first)), Facts(entropy=CHANCE))
    assert found.state == "diverged"
    assert found.why.startswith(f"The validation loss became NaN or infinite in epoch {first} of 10;")
    once = [*val[:4], broken, *val[5:]]
    assert state(train, once) == "healthy"


def test_every_number_of_a_verdict_has_a_meaning():
    val = {"loss": np.array([2.0, 1.0]), "accuracy": np.array([0.1, 0.2])}
    made = Curves(
        epochs=np.arange(1.0, 3),
        train=np.array([2.0, 1.0]),
        train_accuracy=np.array([0.1, 0.3]),
        val={"val": val},
    )
    assert verdict(made, Facts(entropy=CHANCE)).numbers.keys() == MEANINGS.keys()


def test_learning_on_train_but_hardly_on_val_is_overfitting_for_any_number_of_classes():
    found = curves(
        list(np.linspace(0.65, 0.47, 12)) + 8 * [0.47], list(np.linspace(0.67, 0.63, 12)) + 8 * [0.63]
    )
    assert verdict(found, Facts(entropy=math.log(2))).state == "overfitting"


def test_a_steady_slow_fall_asks_for_a_higher_rate():
    slow = list(np.linspace(2.29, 2.1, 20))
    assert state(slow, slow) == "LR too low"
    assert (
        state(list(2.3 * np.exp(-np.arange(20) / 12)), list(2.3 * np.exp(-np.arange(20) / 13)))
        == "train longer"
    )


def test_memorising_without_any_generalisation_is_not_overfitting_but_broken():
    assert state([2.2, 1.8, 1.2, 0.6, 0.2, 0.1], [2.31, 2.35, 2.5, 2.9, 3.3, 3.9]) == "not generalising"


def test_few_epochs_get_a_verdict_only_in_clear_cases():
    assert state([], None) == "too early to say"
    assert state([2.25], [2.3]) == "too early to say"
    assert state([2.29, 2.2], [2.29, 2.27]) == "too early to say"
    assert state([2.0, 1.2], [1.8, 0.9]) == "train longer"
    assert state([2.17, 1.51, 1.02, 0.82], [2.28, 1.98, 1.41, 1.22]) == "train longer"  # bends, no jumps
    assert state([0.2, 0.19, 0.19], [0.2, 0.2, 0.2]) == "too early to say"
    assert state([2.0, math.nan], [1.8, math.nan]) == "diverged"
    assert state([0.9, 0.5], [0.9, 0.5], diverged=True) == "diverged"


def test_without_validation_nothing_is_said_about_memorising():
    assert state([2.0, 1.0, 0.5, 0.2, 0.1], None) == "no validation"


def test_label_smoothing_lifts_both_losses_and_changes_no_verdict():
    floor = 0.9
    for name in ("healthy", "underfitting", "overfitting"):
        made, chance = made_to_test.made(name, 3)
        lifted = Curves(
            epochs=made.epochs, train=made.train + floor, val={"val": {"loss": made.of_val("loss") + floor}}
        )
        assert verdict(lifted, Facts(entropy=chance + floor, floor=floor)).state == name


def test_mixed_training_images_have_a_loss_of_another_scale():
    train, val = [2.2, 1.9, 1.7, 1.6, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5], [1.8, 1.0, 0.6, 0.4, 0.3] + 5 * [0.25]
    assert state(train, val, mixed=True) == "healthy"
    assert state(train, [1.8, 1.5] + 8 * [1.4], mixed=True) == "underfitting"


def test_an_unknown_chance_level_is_estimated_from_the_first_steps():
    falling = [0.5, 0.2, 0.1, 0.06, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05]
    made = Curves(
        epochs=np.arange(1.0, 11),
        train=np.array(falling),
        val={"val": {"loss": np.array(falling)}},
        losses=np.array([1.0, 0.6]),
    )
    found = verdict(made, Facts(entropy=None))
    assert (found.state, found.numbers["chance"]) == ("healthy", 1.0)


SETTLED = [2.0, 1.2, 0.7, 0.45, 0.32, 0.26, 0.23, 0.21] + 12 * [0.2]  # both losses of a run without a fault
RISING = np.concatenate([np.linspace(0.3, 0.9, 8), np.linspace(0.91, 0.99, 12)])  # training accuracy


def with_accuracy(train: np.ndarray, val: np.ndarray) -> Curves:
    """A run whose losses are those of a healthy one, so that only its accuracies can say otherwise."""
    losses = np.array(SETTLED)
    found = {"val": {"loss": losses, "accuracy": val}}
    return Curves(epochs=np.arange(1.0, 21), train=losses, train_accuracy=train, val=found)


def test_training_accuracy_up_and_validation_accuracy_down_is_overfitting():
    val = np.concatenate([np.linspace(0.3, 0.88, 8), np.linspace(0.88, 0.8, 12)])
    found = verdict(with_accuracy(RISING, val), Facts(entropy=CHANCE))
    assert found.state == "overfitting"
    assert found.numbers["train_accuracy"] == pytest.approx(0.99, abs=0.01)
    assert found.numbers["val_accuracy"] == pytest.approx(0.8, abs=0.01)
    assert found.numbers["val_accuracy_best_epoch"] == pytest.approx(8, abs=2)
    assert "Validation accuracy was highest (8" in found.why
    assert "while training accuracy rose from" in found.why
    assert verdict(with_accuracy(RISING, val), Facts(entropy=CHANCE, mixed=True)).state == "overfitting"


def test_both_accuracies_down_or_a_dip_within_noise_is_not_overfitting():
    down = np.concatenate([np.linspace(0.3, 0.88, 8), np.linspace(0.88, 0.8, 12)])
    assert verdict(with_accuracy(down, down), Facts(entropy=CHANCE)).state == "healthy"
    assert verdict(with_accuracy(RISING, RISING), Facts(entropy=CHANCE)).state == "healthy"
    level, called = np.minimum(RISING, 0.85), 0
    for seed in range(100):
        shaken = level + np.random.default_rng(seed).normal(0, 0.03, 20)  # 0.03: of 150 images
        called += verdict(with_accuracy(RISING, shaken), Facts(entropy=CHANCE)).state != "healthy"
    assert called <= 5


def test_a_typical_drop_of_accuracy_is_found_in_the_noise_of_few_images():
    fall = np.concatenate([np.linspace(0.3, 0.9, 8), np.linspace(0.9, 0.65, 12)])
    seen = 0
    for seed in range(100):
        shaken = fall + np.random.default_rng(seed).normal(0, 0.03, 20)
        seen += verdict(with_accuracy(RISING, shaken), Facts(entropy=CHANCE)).state == "overfitting"
    assert seen >= 90


def test_jumping_losses_are_not_overfitting_if_training_accuracy_dropped_too():
    train = [1.7, 0.3, 0.15, 0.15, 0.08, 0.07, 0.04, 0.04, 0.03, 0.02, 0.08, 0.04]
    val = np.array([6.0, 6.6, 3.3, 4.7, 1.3, 0.12, 0.17, 0.36, 0.055, 0.19, 0.59, 1.5])
    right = np.array([0.37, 0.71, 0.81, 0.64, 0.77, 0.96, 0.95, 0.88, 0.97, 0.94, 0.85, 0.52])
    plain = curves(train, list(val))
    slipped = np.array([0.43, 0.91, 0.95, 0.95, 0.977, 0.977, 0.99, 0.99, 0.99, 0.995, 0.98, 0.98])
    known = Curves(
        epochs=plain.epochs,
        train=plain.train,
        train_accuracy=slipped,
        val={"val": {"loss": val, "accuracy": right}},
    )
    assert verdict(plain, Facts(entropy=CHANCE)).state == "overfitting"  # all that the losses can say
    assert verdict(known, Facts(entropy=CHANCE)).state == "LR too high"


HEALTHY = {
    "epochs": 20, "chance": 2.0, "bad": 0, "val_bad": 0, "train_first": 1.5, "train_end": 0.1,
    "train_gain": 0.01, "train_speed": 0.1, "train_jitter": 0.02, "val_best": 0.15,
    "val_best_epoch": 19, "val_best_at": 0.95,
    "val_end": 0.15, "val_median": 0.2, "val_rise": 0.0, "val_gain": 0.01, "val_jitter": 0.02,
}  # fmt: skip
RISEN = {"val_rise": 0.5, "val_best_at": 0.5, "val_end": 0.5}
ACCURACIES = {
    "val_accuracy": 0.9, "val_accuracy_best": 0.96, "val_accuracy_best_epoch": 5, "val_accuracy_noise": 0.001,
    "train_accuracy_then": 0.8, "train_accuracy": 0.99,
}  # fmt: skip
LOST = {"val_best": 1.97, "val_median": 1.98, "val_end": 1.97}
SLOW = {"train_gain": 0.2, "val_gain": 0.2, "train_speed": 1.0}
GAINS = {"train_gain": 0.2, "val_gain": 0.2, "val_best": 1.5, "val_end": 1.5, "train_end": 1.5}


@pytest.mark.parametrize(
    ("changes", "key", "limit", "below", "above"),
    [
        ({}, "train_end", 2.0 * 2.0, None, "diverged"),
        ({"val_best": 1.2}, "train_first", 1.3 * 2.0, None, "LR too high"),
        ({"val_best": 1.95, "train_end": 1.95}, "val_median", 0.97 * 2.0, None, "not learning"),
        (RISEN, "val_rise", 0.1, None, "overfitting"),
        (RISEN, "val_best_at", 0.85, "overfitting", None),
        ({}, "val_jitter", 0.15, None, "LR too high"),
        ({}, "train_jitter", 0.15, None, "LR too high"),
        (RISEN | ACCURACIES | {"val_jitter": 0.2, "train_accuracy": 0.7}, "train_accuracy_then", 0.703,
         "overfitting", "LR too high"),
        ({"val_end": 0.7}, "train_end", 0.3 * 2.0, None, "underfitting"),
        ({"val_end": 0.7}, "train_end", 0.5 * 0.7, "overfitting", None),
        ({"val_end": 0.5}, "train_end", 0.1 * 0.5, "overfitting", None),
        ({"train_end": 0.01}, "val_end", 0.15 * 2.0, None, "overfitting"),
        ({"train_end": 1.2}, "val_end", 2.0 - 0.4 * 0.8, None, "overfitting"),
        ({"val_end": 1.95, "val_best": 1.7}, "train_end", 0.85 * 2.0, "overfitting", None),
        (ACCURACIES, "val_accuracy_best", 0.92, None, "overfitting"),
        (ACCURACIES, "val_accuracy_noise", 0.02, "overfitting", None),
        (ACCURACIES | {"train_accuracy_then": 0.5}, "train_accuracy", 0.55, None, "overfitting"),
        (GAINS | {"train_end": 0.5}, "val_gain", 0.05, None, "train longer"),
        (GAINS | {"train_speed": 1.0}, "train_end", 0.65 * 2.0, "train longer", "LR too low"),
        (GAINS, "train_speed", 0.5, "train longer", "LR too low"),
        ({"train_first": 3.0}, "val_best", 0.5 * 2.0, "healthy", "LR too high"),
        (LOST | {"train_end": 1.96}, "val_best", 0.9 * 2.0, "underfitting", "not learning"),
        (LOST, "train_end", 0.8 * 2.0, "not generalising", "not learning"),
        (LOST | SLOW, "train_end", 0.995 * 2.0, "LR too low", "not learning"),
        (LOST | {"train_end": 1.96}, "epochs", 2, "too early to say", "not learning"),
        (RISEN, "train_end", 0.6 * 0.5, "overfitting", "healthy"),
        (RISEN, "epochs", 4, "too early to say", "overfitting"),
        ({"train_end": 0.8}, "val_end", 1.5 * 0.8, "underfitting", "healthy"),
        ({"train_end": 0.3, "val_end": 0.7}, "val_gain", 0.05 / 2, "overfitting", "healthy"),
    ],
)  # fmt: skip
def test_each_limit_lies_where_it_is_said_to_lie(changes, key, limit, below, above):
    numbers = HEALTHY | changes
    assert _state(HEALTHY, Facts(entropy=2.0))[0] == "healthy"
    step = min(0.1 * limit, 0.01 if "accuracy" in key and "noise" not in key else math.inf, 0.1)
    step = 0.002 if key == "train_accuracy_then" else step
    found = [_state(numbers | {key: limit + side * step}, Facts(entropy=2.0))[0] for side in (-1, 1)]
    for state_found, wanted, other in ((found[0], below, above), (found[1], above, below)):
        assert state_found == wanted if wanted else state_found != other
