"""Pictures of the first layer's weights, and the distance they have moved."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from imagelab.trick.first_layer import FirstLayer, change, filters, first_weight
from tests.trick.watching import trick_of, watched


def test_the_distance_is_measured_from_the_initial_weights(tmp_path):
    words = ["trick=[first_layer]", "trick.first_layer.every=4", "trainer.max_epochs=2", "optimizer.lr=0.05"]
    parts = watched(words, tmp_path)
    start, end = trick_of(parts, FirstLayer).start, parts.classifier.net.features[0].weight.detach()
    rows = [row for row in csv.DictReader((tmp_path / "metrics.csv").open()) if row["first_layer/change"]]
    assert [row["step"] for row in rows] == ["4", "8"]
    wanted = ((end - start).norm() / start.norm()).item()
    assert float(rows[-1]["first_layer/change"]) == pytest.approx(wanted)
    pictures = [np.asarray(Image.open(tmp_path / "images" / f"first_layer_{w}.png")) for w in ("init", "end")]
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).mean() > 0.2


def test_filters_share_one_scale_around_grey():
    weight = torch.zeros(3, 3, 2, 2)
    weight[1], weight[2] = 0.5, -0.25
    pictures = filters(weight, in_channels=3, size=8)
    assert pictures.shape == (3, 3, 2, 2)
    assert [int(one.unique()) for one in pictures] == [128, 255, 64]


def test_any_kind_of_first_layer_can_be_drawn():
    assert filters(torch.randn(100, 1, 5, 5), 1, 8).shape == (64, 1, 5, 5)
    assert filters(torch.randn(8, 12, 5, 5), 12, 8).shape == (8, 1, 5, 5)
    assert filters(torch.randn(20, 3 * 8 * 8), 3, 8).shape == (20, 3, 8, 8)
    assert filters(torch.randn(20, 30), 3, 8).shape == (1, 1, 20, 30)
    assert filters(torch.zeros(2, 3, 3, 3), 3, 8).unique().tolist() == [128]


def test_the_first_layer_is_the_first_with_weights():
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 3), nn.Linear(3, 2))
    assert first_weight(net) is net[2].weight
    assert change(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 0.0])) == pytest.approx(4 / 3)
