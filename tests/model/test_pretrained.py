"""Which preprocessing a model config asks for."""

import pytest

from imagelab.model.pretrained import pretrained_preprocess

TORCHVISION, TIMM = "imagelab.model.torchvision.torchvision_model", "imagelab.model.timm.timm_model"


@pytest.mark.parametrize(("target", "resize"), [(TORCHVISION, 256), (TIMM, 235)])
def test_pretrained_weights_bring_theirs(target, resize):
    found = pretrained_preprocess({"_target_": target, "name": "resnet18", "pretrained": True}, size=None)
    assert found is not None
    assert (found.size, found.resize) == (224, resize)


def test_another_size_keeps_the_ratio_of_the_crop():
    found = pretrained_preprocess({"_target_": TORCHVISION, "name": "resnet18", "pretrained": True}, size=112)
    assert found is not None
    assert (found.size, found.resize) == (112, 128)


@pytest.mark.parametrize(
    "model",
    [
        {"_target_": TORCHVISION, "name": "resnet18", "pretrained": False},
        {"_target_": TIMM, "name": "resnet18", "pretrained": False},
        {"_target_": "imagelab.model.small_cnn.SmallCNN", "widths": [8]},
        {"_target_": "my.own.Net", "pretrained": True},
    ],
)
def test_without_a_librarys_weights_there_is_none(model):
    assert pretrained_preprocess(model, size=None) is None
