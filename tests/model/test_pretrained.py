"""Which preprocessing a model config asks for."""

from dataclasses import replace

import pytest
import torch

from imagelab.data.preprocess import Preprocess
from imagelab.model.pretrained import pretrained_preprocess

TORCHVISION, TIMM = "imagelab.model.torchvision.torchvision_model", "imagelab.model.timm.timm_model"


def model(target, pretrained=True, **more):
    return {"_target_": target, "name": "resnet18", "pretrained": pretrained, "weights": None} | more


@pytest.mark.parametrize(("target", "resize"), [(TORCHVISION, 256), (TIMM, 235)])
def test_pretrained_weights_bring_their_preprocessing(target, resize):
    found = pretrained_preprocess(model(target), size=None)
    assert found is not None
    assert (found.size, found.resize) == (224, resize)


def test_another_size_keeps_the_crop_ratio():
    found = pretrained_preprocess(model(TORCHVISION), size=112)
    assert found is not None
    assert (found.size, found.resize) == (112, 128)


@pytest.mark.parametrize(
    "node",
    [
        model(TORCHVISION, pretrained=False),
        model(TIMM, pretrained=False),
        {"_target_": "imagelab.model.small_cnn.SmallCNN", "widths": [8], "kernel_size": 3, "weights": None},
        model("my.own.Net"),
        {"_target_": "my.own.Net", "backbone": "resnet18", "weights": None},
    ],
)
def test_without_pretrained_weights_there_is_no_preprocessing(node):
    assert pretrained_preprocess(node, size=None) is None


def test_weights_of_a_run_bring_its_preprocessing(tmp_path):
    own = Preprocess(size=16, channels=1, mean=[0.25], std=[0.5], resize=20, interpolation="bicubic")
    file = tmp_path / "run" / "checkpoints" / "best.ckpt"
    file.parent.mkdir(parents=True)
    torch.save({"state_dict": {}, "imagelab": {"preprocess": own.to_dict()}}, file)
    node = model(TORCHVISION, pretrained=False, weights=str(tmp_path / "run"))
    assert pretrained_preprocess(node, size=None) == own
    assert pretrained_preprocess(node, size=32) == replace(own, size=32, resize=40)
    torch.save({"state_dict": {}}, file)
    assert pretrained_preprocess(node, size=None) is None
