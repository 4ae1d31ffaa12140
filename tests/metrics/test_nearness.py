"""An image is unlike the known ones if its features point away from theirs."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from imagelab.metrics.nearness import Nearness, nearness


def directions(*degrees: float) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_it_counts_how_many_known_images_are_nearer_to_the_others() -> None:
    known = nearness(3 * directions(0, 10, 20, 40, 80), count=1)  # nearest others: 10, 10, 10, 20, 40 degrees
    found = known.unlike(directions(5, 95, 118, 59).numpy())  # to known ones: 5, 15, 38 and 19 degrees
    assert found.tolist() == pytest.approx([0.0, 0.6, 0.8, 0.6])
    assert known.unlike(directions(-100).numpy()).tolist() == [1.0]


def test_the_known_images_themselves_are_as_unlike_as_each_other() -> None:
    features = torch.randn(400, 16, generator=torch.Generator().manual_seed(0)) + 1
    first, second = features[:200], features[200:]
    assert nearness(first).unlike(second.numpy()).mean() == pytest.approx(0.5, abs=0.06)


def test_features_of_another_kind_are_far_although_they_are_as_long() -> None:
    draw = torch.Generator().manual_seed(1)
    kinds = torch.eye(8)[torch.randint(0, 4, (600,), generator=draw)]
    inside = (kinds + 0.2 * torch.randn(600, 8, generator=draw)).numpy()
    strange = (torch.eye(8)[4:].repeat(50, 1) + 0.2 * torch.randn(200, 8, generator=draw)).numpy()
    known = nearness(torch.from_numpy(inside[:300]))
    given = np.concatenate([inside[300:], strange])
    assert roc_auc_score([0] * 300 + [1] * 200, known.unlike(given)) > 0.99
    again = Nearness(**known.to_dict())
    assert np.array_equal(again.unlike(given), known.unlike(given))
    assert (known.features.dtype, known.count) == (torch.float16, 5)


def test_two_images_are_enough() -> None:
    known = nearness(directions(0, 90))
    assert known.count == 1
    assert known.unlike(directions(0, 170).numpy()).tolist() == [0.0, 0.0]
    assert known.unlike(directions(225).numpy()).tolist() == [1.0]
