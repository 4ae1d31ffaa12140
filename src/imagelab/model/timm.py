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


def timm_model(*, name: str, pretrained: bool, num_classes: int, in_channels: int, size: int) -> nn.Module:
    """A network by its name in timm.

    Args:
        name: As in timm.list_models, with or without the tag of the weights: resnet18 or resnet18.a1_in1k.
        pretrained: Whether to start from timm's weights of that tag, or the default ones; downloaded once.
        num_classes: Logits.
        in_channels: Channels of the images; the kernels of pretrained weights are summed or repeated.
        size: Side of the images in pixels; only networks with positions for every patch depend on it.

    Raises:
        Problem: The name is unknown, the weights cannot be had, or the network cannot take that size.
    """
    import timm

    expected = _weights_card(name)
    if pretrained and not expected.has_weights:
        raise Problem(f"model.pretrained=true: timm has no weights for {name}; set model.pretrained=false.")
    other_size = expected.fixed_input_size and size != expected.input_size[-1]
    options: dict[str, Any] = {"img_size": size} if other_size else {}
    try:
        with _no_retries_without_network() if pretrained else nullcontext():
            return timm.create_model(
                name, pretrained=pretrained, num_classes=num_classes, in_chans=in_channels, **options
            )
    except OSError as error:
        raise Problem(
            f"model.pretrained=true: the weights of {name} are not on this machine and could not be fetched "
            f"({str(error).splitlines()[0]}). Run once with a network, or set model.pretrained=false."
        ) from error
    except (TypeError, ValueError, AssertionError, RuntimeError, ZeroDivisionError) as error:
        raise Problem(
            f"model.name={name} cannot take images of {size} x {size} pixels ({error}); it is made for "
            f"data.size={expected.input_size[-1]}."
        ) from error


def timm_preprocess(name: str) -> Preprocess:
    """What the pretrained weights of a network expect of images."""
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
        raise Problem(f"model.name={name}: timm has no weights of that tag{nearest(name, tagged)}") from error


@contextmanager
def _no_retries_without_network() -> Iterator[None]:
    """Look only on this machine when the hub cannot be reached: it would be tried again for 45 seconds."""
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
