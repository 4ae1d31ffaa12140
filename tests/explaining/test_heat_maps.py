"""Heat maps follow a planted patch, in convolutions and in attention, and depend on the last layer."""

from functools import cache

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from imagelab.data.preprocess import Preprocess
from imagelab.data.reader import Reader
from imagelab.explaining.heat_maps import blended, heat_maps
from imagelab.explaining.last_map import last_map
from imagelab.model.small_cnn import SmallCNN
from imagelab.predictor import Predictor
from imagelab.task.classify import Classify

SIDE, PATCH = 32, 8  # pixels
CLASSES = ["red", "green"]


def planted(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Grey noise with a red or a green patch: images, labels, and the top left corner of each patch."""
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(90, 160, (count, 1, SIDE, SIDE), generator=draw).expand(-1, 3, -1, -1).clone()
    labels = torch.arange(count) % 2
    corners = torch.randint(0, SIDE // PATCH, (count, 2), generator=draw) * PATCH
    for image, label, (top, left) in zip(images, labels, corners.tolist(), strict=True):
        image[:, top : top + PATCH, left : left + PATCH] = 40
        image[label, top : top + PATCH, left : left + PATCH] = 220
    return images.to(torch.uint8), labels, corners


def convolutions() -> nn.Module:
    return SmallCNN(num_classes=2, in_channels=3, widths=[8, 16], kernel_size=3)


def attention() -> nn.Module:
    size = {"img_size": SIDE, "patch_size": 4, "embed_dim": 32, "depth": 2, "num_heads": 2}
    return timm.create_model("vit_tiny_patch16_224", num_classes=2, **size)


@cache
def trained(make) -> Predictor:
    torch.manual_seed(0)
    numbers = {"mean": [0.5] * 3, "std": [0.25] * 3}
    plain = Preprocess(size=SIDE, channels=3, resize=SIDE, interpolation="bilinear", **numbers)
    net = make()
    step = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for k in range(60):
        images, labels, _ = planted(32, seed=k)
        loss = nn.functional.cross_entropy(net(plain(images)), labels)
        step.zero_grad()
        loss.backward()
        step.step()
    task = Classify(loss=nn.CrossEntropyLoss(), classes=CLASSES)
    reader = Reader(least=SIDE, shape=[SIDE, SIDE])
    return Predictor(net=net, classes=CLASSES, preprocess=plain, reader=reader, task=task)


def inside(maps: np.ndarray, corners: Tensor) -> float:
    """The share of maps whose hottest place lies in the patch, or within two pixels of it."""
    hottest = np.stack(np.unravel_index(maps.reshape(len(maps), -1).argmax(1), (SIDE, SIDE)), axis=1)
    off = hottest - corners.numpy()
    return float(((off >= -2) & (off < PATCH + 2)).all(axis=1).mean())


@pytest.mark.parametrize("make", [convolutions, attention])
def test_the_hottest_place_is_the_planted_patch(make):
    images, labels, corners = planted(32, seed=99)
    predictor = trained(make)
    assert (torch.from_numpy(predictor.predictions(images)).argmax(1) == labels).float().mean() > 0.9
    assert inside(heat_maps(predictor, images), corners) > 0.8  # by chance: 0.14


@pytest.mark.parametrize("make", [convolutions, attention])
def test_maps_change_when_the_last_layer_is_randomised(make):
    images, first = planted(16, seed=7)[0], torch.zeros(16, dtype=torch.long)
    predictor = trained(make)
    before = heat_maps(predictor, images, first)
    head = predictor.net.get_submodule("head")
    weights = head.weight.data.clone()
    head.weight.data.copy_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(1)))
    after = heat_maps(predictor, images, first)
    head.weight.data.copy_(weights)
    pairs = zip(before.reshape(16, -1), after.reshape(16, -1), strict=True)
    assert np.nanmedian([np.corrcoef(one, other)[0, 1] for one, other in pairs]) < 0.7
    np.testing.assert_allclose(heat_maps(predictor, images, first), before, atol=1e-4)


def test_the_last_map_is_before_the_pooling_and_tokens_are_none():
    for name, size, layer in (
        ("resnet10t", 128, "layer4"),
        ("resnet10t", 64, "layer3"),  # its last map has 2 x 2 places
        ("vit_tiny_patch16_224", 224, None),
        ("swin_tiny_patch4_window7_224", 224, None),
    ):
        net = timm.create_model(name, num_classes=2, **({"depth": 1} if "vit" in name else {})).eval()
        found = last_map(net, torch.rand(1, 3, size, size))
        assert found is (layer and net.get_submodule(layer))
        assert not any(one._forward_hooks for one in net.modules())


def test_a_hot_place_is_red_in_the_picture():
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    shown = blended(np.full((64, 64, 3), 128, np.uint8), heat)
    assert shown[2, 2, 0] > shown[2, 2, 2]
    assert shown[60, 60, 0] < shown[60, 60, 2]
