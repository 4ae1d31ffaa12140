"""Build a torchvision classification network, fitted to the data.

Source: https://docs.pytorch.org/vision/stable/models.html
"""

from typing import Any

from torch import nn

from imagelab.data.preprocess import Preprocess
from imagelab.model.head import fit_head
from imagelab.model.stem import fit_stem
from imagelab.problem import Problem, nearest


def torchvision_model(
    *, name: str, pretrained: bool, num_classes: int, in_channels: int, size: int
) -> nn.Module:
    """Build a network by its name in torchvision.

    Args:
        name: Name in torchvision.models.list_models, such as resnet18.
        pretrained: Whether to start from torchvision's best ImageNet weights; downloaded once.
        num_classes: Number of logits, K.
        in_channels: Channels of an image.
        size: Side of an image in pixels; it matters only to networks with position embeddings.

    Raises:
        Problem: The name is unknown, the weights are unavailable, or the network cannot take that size.
    """
    _check_name(name)
    net = _pretrained(name, size) if pretrained else _fresh(name, num_classes, size)
    if pretrained:
        fit_head(net, num_classes)
    fit_stem(net, in_channels)
    if in_channels != 3 and "transform_input" in vars(net):
        vars(net)["transform_input"] = False  # it shifts red, green and blue
    return net


def torchvision_preprocess(name: str) -> Preprocess:
    """The preprocessing that a network's pretrained weights expect."""
    from torchvision.models import get_model_weights

    _check_name(name)
    expected = get_model_weights(name)["DEFAULT"].transforms()
    return Preprocess(
        size=expected.crop_size[0],
        channels=3,
        mean=list(expected.mean),
        std=list(expected.std),
        resize=expected.resize_size[0],
        interpolation=expected.interpolation.value,
    )


def _check_name(name: str) -> None:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        hint = nearest(name, known) or f"; there are {', '.join(known[::8])} and others."
        raise Problem(f"model.name={name}: torchvision has no such classification network{hint}")


def _fresh(name: str, num_classes: int, size: int) -> nn.Module:
    from torchvision.models import get_model

    try:
        return get_model(name, weights=None, num_classes=num_classes, **_options(name, size))
    except (ValueError, AssertionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise Problem(f"model.name={name} cannot take images of {size} x {size} pixels: {reason}") from error


def _options(name: str, size: int) -> dict[str, Any]:
    if name.startswith("vit_"):
        return {"image_size": size}
    if name.startswith("maxvit"):
        return {"input_size": (size, size)}
    if name in ("googlenet", "inception_v3"):
        # One tensor of logits, also in training. Colours are shifted as for pretrained weights: a checkpoint
        # of a run that began with those is loaded into a network built without them.
        return {"aux_logits": False, "init_weights": True, "transform_input": True}
    return {}


def _pretrained(name: str, size: int) -> nn.Module:
    from torchvision.models import get_model

    try:
        net = get_model(name, weights="DEFAULT")
    except (OSError, RuntimeError) as error:
        raise Problem(
            f"model.pretrained=true: the weights of {name} are not on this machine and could not be "
            f"downloaded ({error}). Run once online, or set model.pretrained=false."
        ) from error
    if name == "inception_v3":
        vars(net)["aux_logits"] = False
        net.register_module("AuxLogits", None)
    return _resized(net, name, size) if name.startswith(("vit_", "maxvit")) else net


def _resized(net: nn.Module, name: str, size: int) -> nn.Module:
    """The network with its position embedding interpolated to another image size."""
    native = torchvision_preprocess(name).size
    if size == native:
        return net
    if not name.startswith("vit_"):
        raise Problem(f"model.name={name}: its pretrained weights are for data.size={native}, not {size}.")
    from torchvision.models.vision_transformer import interpolate_embeddings

    state = interpolate_embeddings(size, int(net.patch_size), net.state_dict())  # type: ignore[arg-type]
    resized = _fresh(name, 1000, size)
    resized.load_state_dict(state)
    return resized
