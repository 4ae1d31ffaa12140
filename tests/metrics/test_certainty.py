"""Sets of classes cover what they promise, and energy tells images of left-out classes."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from imagelab.metrics.certainty import Certainty, certainty, energy


def drawn(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels of a classifier of ten classes that is right in two thirds of cases."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, (count,), generator=draw)
    outputs = torch.randn(count, 10, generator=draw)
    outputs[torch.arange(count), labels] += 2
    return outputs, labels


@pytest.mark.parametrize("level", [0.8, 0.9, 0.975])
def test_new_images_are_covered_within_a_point_of_the_promise(level):
    outputs, labels = drawn(4000, seed=0)
    known = certainty(outputs, outputs.softmax(1), labels)
    fresh, true = drawn(20000, seed=1)
    sets = known.sets(fresh.softmax(1).numpy(), level)
    assert sets[np.arange(20000), true].mean() == pytest.approx(level, abs=0.01)
    assert 1 < sets.sum(axis=1).mean() < 10
    assert sets[np.arange(20000), fresh.argmax(1)].all()


def test_few_images_promise_less_and_then_all_classes_are_in_the_set():
    outputs, labels = drawn(9, seed=0)
    known = certainty(outputs, outputs.softmax(1), labels)
    assert known.sets(outputs.softmax(1).numpy(), 0.9).mean() < 1  # rank 9 of 9
    assert known.sets(outputs.softmax(1).numpy(), 0.91).all()


def test_coverage_is_exact_on_average_over_small_splits():
    covered = []
    for seed in range(300):
        outputs, labels = drawn(59, seed=seed)
        known = certainty(outputs, outputs.softmax(1), labels)
        fresh, true = drawn(200, seed=10_000 + seed)
        covered.append(known.sets(fresh.softmax(1).numpy(), 0.9)[np.arange(200), true].mean())
    assert np.mean(covered) == pytest.approx(0.9, abs=0.01)  # rank 54 of 59


def test_energy_is_high_where_no_class_claims_an_image():
    outputs, labels = drawn(2000, seed=0)
    strange = torch.randn(2000, 10, generator=torch.Generator().manual_seed(2))
    known = certainty(outputs, outputs.softmax(1), labels)
    inside, outside = (known.unlike(energy(part).numpy()) for part in (outputs, strange))
    assert inside.mean() == pytest.approx(0.5, abs=0.01)
    assert roc_auc_score([0] * 2000 + [1] * 2000, [*inside, *outside]) > 0.7
    assert Certainty(**known.to_dict()) == known
