"""Build a timm network, fitted to the data.

Source: https://huggingface.co/docs/timm
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.request import getproxies

from torch import nn

from imagelab.data.preprocess import Preprocess
from imagelab.problem import Problem, nearest

HEADS_BY_FAN_OUT = ("timm.models.efficientnet", "timm.models.mobilenetv3", "timm.models.rexnet")


def timm_model(*, name: str, pretrained: bool, num_classes: int, in_channels: int, size: int) -> nn.Module:
    """Build a network by its name in timm.

    Args:
        name: Name in timm.list_models, with or without a weights tag: resnet18 or resnet18.a1_in1k.
        pretrained: Whether to start from timm's weights, those of the tag or the default; downloaded once.
        num_classes: Number of logits, K.
        in_channels: Channels of an image; pretrained kernels are summed or repeated to match.
        size: Side of an image in pixels; it matters only to networks with position embeddings.

    Raises:
        Problem: The name is unknown, the weights are unavailable, or the network cannot take that size.
    """
    import timm

    expected = _weights_card(name)
    if pretrained and not expected.has_weights:
        raise Problem(f"model.pretrained=true: timm has no weights for {name}; set model.pretrained=false.")
    other_size = expected.fixed_input_size and size != expected.input_size[-1]
    options: dict[str, Any] = {"img_size": size} if other_size else {}
    try:
        with _no_retries_without_network() if pretrained else nullcontext():
            net = timm.create_model(
                name, pretrained=pretrained, num_classes=num_classes, in_chans=in_channels, **options
            )
    except OSError as error:
        raise Problem(
            f"model.pretrained=true: the weights of {name} are not on this machine and could not be "
            f"downloaded ({str(error).splitlines()[0]}). Run once online, or set model.pretrained=false."
        ) from error
    except (TypeError, ValueError, AssertionError, RuntimeError, ZeroDivisionError) as error:
        raise Problem(
            f"model.name={name} cannot take images of {size} x {size} pixels ({error}); it is made for "
            f"data.size={expected.input_size[-1]}."
        ) from error
    draw_new_head(net, pretrained=pretrained)
    return net


def draw_new_head(net: Any, *, pretrained: bool) -> None:
    """Draw the new head of an EfficientNet, MobileNet or ReXNet as torch draws a linear layer.

    timm draws these heads by the number of outputs, as suits a thousand: with two classes and 1,280 features,
    the loss of MobileNetV4 starts at 7, not at 0.69.
    Source: https://github.com/huggingface/pytorch-image-models, _init_weight_goog.

    Args:
        net: Network of timm, changed in place; others stay as they are.
        pretrained: Whether it has trained weights; their head stays if they are for as many classes.
    """
    kept = pretrained and net.num_classes == net.pretrained_cfg["num_classes"]
    if kept or type(net).__module__ not in HEADS_BY_FAN_OUT:
        return
    head = net.get_classifier()
    if isinstance(head, nn.Linear):
        head.reset_parameters()


def timm_preprocess(name: str) -> Preprocess:
    """The preprocessing that a network's pretrained weights expect."""
    expected = _weights_card(name)
    size = expected.input_size[-1]
    return Preprocess(
        size=size,
        channels=3,
        mean=list(expected.mean),
        std=list(expected.std),
        resize=int(size / expected.crop_pct),
        interpolation="bilinear" if expected.interpolation == "bilinear" else "bicubic",
    )


def _weights_card(name: str) -> Any:
    import timm

    if not timm.is_model(name):
        hint = nearest(name.split(".")[0], timm.list_models()) or "; timm.list_models() names them all."
        raise Problem(f"model.name={name}: timm has no such network{hint}")
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        tagged = timm.list_models(f"{name.split('.')[0]}.*", pretrained=True)
        raise Problem(f"model.name={name}: timm has no weights by that tag{nearest(name, tagged)}") from error


@contextmanager
def _no_retries_without_network() -> Iterator[None]:
    """Use only local files if the hub cannot be reached: its client would retry for 45 seconds."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    try:
        socket.getaddrinfo(constants.ENDPOINT.removeprefix("https://"), 443)
    except OSError:
        constants.HF_HUB_OFFLINE = before or not getproxies()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
