"""What pretrained weights expect of images."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imagelab.data.preprocess import Preprocess
from imagelab.model.timm import timm_preprocess
from imagelab.model.torchvision import torchvision_preprocess

PREPROCESS = {
    "imagelab.model.torchvision.torchvision_model": torchvision_preprocess,
    "imagelab.model.timm.timm_model": timm_preprocess,
}


def pretrained_preprocess(model: Mapping[str, Any], size: int | None) -> Preprocess | None:
    """The preprocessing that the weights of a library expect; None where a model starts without any.

    Args:
        model: The model's config.
        size: Side of the network's input in pixels, where it is not to be that of the weights.
    """
    if model["_target_"] not in PREPROCESS or not model["pretrained"]:
        return None
    expected = PREPROCESS[model["_target_"]](model["name"])
    if size is None:
        return expected
    return replace(expected, size=size, resize=round(size * expected.resize / expected.size))
