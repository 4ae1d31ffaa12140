"""Read the preprocessing that pretrained weights expect."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from imagelab.checkpoints.hub import local, weights_in
from imagelab.data.preprocess import Preprocess
from imagelab.model.backbone import backbone_preprocess  # room: detection
from imagelab.model.efficientnet_lite0 import efficientnet_lite0_preprocess
from imagelab.model.timm import timm_preprocess
from imagelab.model.torchvision import torchvision_preprocess
from imagelab.model.weights import checkpoint_of, content_of

PREPROCESS = {
    "imagelab.model.torchvision.torchvision_model": torchvision_preprocess,
    "imagelab.model.timm.timm_model": timm_preprocess,
    "imagelab.model.efficientnet_lite0.efficientnet_lite0": efficientnet_lite0_preprocess,
}


def pretrained_preprocess(model: Mapping[str, Any], size: int | None) -> Preprocess | None:
    """The preprocessing that pretrained weights, of a library or a run, expect; None if there are none.

    Args:
        model: The model's config.
        size: Side of the network's input in pixels; None: that of the weights.
    """
    expected = _expected(model)
    if expected is None or size is None:
        return expected
    return replace(expected, size=size, resize=round(size * expected.resize / expected.size))


def _expected(model: Mapping[str, Any]) -> Preprocess | None:
    if model["weights"] is not None:
        return run_preprocess(model["weights"])
    if model["_target_"] in PREPROCESS and model["pretrained"]:
        named = [model["name"]] if "name" in model else []
        return PREPROCESS[model["_target_"]](*named)
    if {"backbone", "pretrained"} <= model.keys() and model["pretrained"]:  # room: detection
        return backbone_preprocess(model["backbone"])
    return None


def run_preprocess(path: str | Path) -> Preprocess | None:
    """The preprocessing stored in a run's checkpoint; None if it has none.

    Raises:
        Problem: There is no such checkpoint, or it is damaged.
    """
    known = content_of(checkpoint_of(weights_in(local(path)))).get("imagelab", {}).get("preprocess")
    return Preprocess.from_dict(known) if known else None
