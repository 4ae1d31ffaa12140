import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from imagelab.loss.bce import BinaryCrossEntropy
from imagelab.loss.class_weights import class_weights, side_weights
from imagelab.loss.cross_entropy import CrossEntropy
from imagelab.loss.focal import Focal
from imagelab.problem import Problem
from tests.loss.losses import NAMES, RARE

COUNTS = np.bincount(RARE)


def test_balanced_weights_are_inverse_to_the_images_of_a_class():
    weights = class_weights("balanced", classes=NAMES, labels=RARE)
    assert weights is not None
    np.testing.assert_allclose(weights, len(RARE) / (len(NAMES) * COUNTS))


def test_auto_weights_are_inverse_to_its_effective_number():
    effective = (1 - 0.999**COUNTS) / (1 - 0.999)
    weights = class_weights("auto", classes=NAMES, labels=RARE)
    assert weights is not None
    np.testing.assert_allclose(weights / weights[0], effective[0] / effective)


@pytest.mark.parametrize("weight", ["auto", "balanced", {"a": 2, "d": 7.5}])
def test_the_weights_of_the_training_images_have_a_mean_of_one(weight):
    weights = class_weights(weight, classes=NAMES, labels=RARE)
    sides = side_weights(weight, classes=NAMES, labels=RARE)
    assert weights is not None
    assert sides is not None
    assert weights[RARE].mean() == pytest.approx(1)
    tags = np.eye(4, dtype=bool)[RARE]
    np.testing.assert_allclose(np.where(tags, sides[1], sides[0]).mean(axis=0), 1)
    np.testing.assert_array_equal(sides, side_weights(weight, classes=NAMES, labels=tags))


def test_a_weight_for_what_is_no_class_is_refused():
    with pytest.raises(Problem, match=r"loss\.weight: there is no class 'ants'; did you mean 'ant'\?"):
        class_weights({"ants": 2}, classes=["ant", "bee"], labels=np.array([0, 1]))
    with pytest.raises(Problem, match=r"loss\.weight: wants a number above 0 for ant, got -1"):
        class_weights({"ant": -1}, classes=["ant", "bee"], labels=np.array([0, 1]))


@pytest.fixture(scope="module")
def one_in_a_hundred():
    """Real digits: eights and a hundred times as many others to train on; the rest to test on."""
    pixels, digits = load_digits(return_X_y=True)
    eights, others = np.flatnonzero(digits == 8), np.flatnonzero(digits != 8)
    others = np.random.default_rng(0).permutation(others)
    train = np.concatenate([others[:1200], eights[:12]])
    test = np.concatenate([others[1200:], eights[12:]])
    images, labels = torch.tensor(pixels / 16, dtype=torch.float32), (digits == 8).astype(np.int64)
    return images[train], labels[train], images[test], labels[test]


def recalls(criterion, split, outputs):
    """The shares of the rare and of the frequent class that a linear classifier finds among other images."""
    images, labels, unseen, truth = split
    layer = torch.nn.Linear(64, outputs)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        loss = criterion(layer(images), torch.from_numpy(labels)) + 1e-3 * layer.weight.square().sum()
        loss.backward()
        return loss.item()

    optimizer.step(step)
    right = layer(unseen).argmax(dim=1).numpy() == truth
    return right[truth == 1].mean(), right[truth == 0].mean()


def test_weights_find_the_class_of_one_image_in_a_hundred(one_in_a_hundred):
    facts = {"classes": ["other", "eight"], "labels": one_in_a_hundred[1]}
    plain = recalls(CrossEntropy(label_smoothing=0.0, weight=None, **facts), one_in_a_hundred, 2)
    found = {
        "balanced": CrossEntropy(label_smoothing=0.0, weight="balanced", **facts),
        "auto": CrossEntropy(label_smoothing=0.0, weight="auto", **facts),
        "given": CrossEntropy(label_smoothing=0.0, weight={"eight": 100}, **facts),
        "bce": BinaryCrossEntropy(label_smoothing=0.0, weight="balanced", **facts),
        "focal": Focal(gamma=2.0, weight="balanced", **facts),
    }
    assert plain == pytest.approx((0.04, 1), abs=0.02)
    for name, criterion in found.items():
        rare, frequent = recalls(criterion, one_in_a_hundred, 2)
        assert rare > plain[0] + 0.4, name
        assert frequent > 0.95, name
