"""Pictures of feature maps: of the chosen images, of the liveliest maps, and without a trace in the run."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from imagelab.problem import Problem
from imagelab.trick.feature_maps import maps_of, rows_of
from tests.fitting import built
from tests.trick.watching import SMALL, assert_same_bits, watched

WORDS = ["trick=[feature_maps]", "trick.feature_maps.images=[3,0]", "trainer.max_epochs=1"]


def picture(path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_a_run_has_pictures_before_and_after_and_the_bits_of_one_without(tmp_path):
    parts, plain = watched(WORDS, tmp_path / "a"), watched(WORDS[2:], tmp_path / "b")
    assert_same_bits(parts, plain)
    before, after = (picture(tmp_path / "a" / "images" / f"feature_maps_{w}.png") for w in ("init", "end"))
    assert before.shape == after.shape == (2 * 50, (1 + 3 * 6) * 50, 3)  # 3 convolutions, 6 maps each
    assert (before[:, :50] == after[:, :50]).all()  # the images
    assert (before[:, 50:] != after[:, 50:]).mean() > 0.2
    val = parts.data.splits["val"].images[[3, 0], 0].numpy()
    shown = np.stack([after[4 + 6 * k : 50 * 2 : 6, 4:49:6, 0][:8] for k in (0,)])[0]
    assert np.abs(shown - val[0]).max() <= 1


def test_maps_are_the_outputs_of_convolutions_and_the_liveliest_are_shown():
    net = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.ReLU(), nn.Conv2d(3, 2, 1), nn.Flatten())
    net[0].weight.data = torch.tensor([1.0, 0.0, 5.0])[:, None, None, None]
    images = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    found = maps_of(net, images, most=1)
    assert list(found) == ["0"]
    torch.testing.assert_close(found["0"][:, 2], 5 * images[:, 0])
    rows = rows_of((255 * images).byte(), list(found.values()), most=1)
    assert rows.shape == (2, 50 + 48 * 0, 100, 3)
    cells = rows[:, 7:49:12, 57:99:12, 0].astype(float)  # the middle of each value of the map
    wanted = (images[:, 0] - images.min()) / (images.max() - images.min()) * 255
    np.testing.assert_allclose(cells, wanted.numpy(), atol=0.51)


def test_what_cannot_be_shown_is_said(tmp_path):
    with pytest.raises(Problem, match="has no convolutions"):
        maps_of(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.zeros(1, 1, 2, 2), most=4)
    parts = built([*SMALL, *WORDS, "trick.feature_maps.images=[0,99999]"], tmp_path)
    with pytest.raises(Problem, match="val has the images 0 to 1"):
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
