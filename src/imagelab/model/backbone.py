# room: detection
"""Turn a classification network into the feature maps that a detector looks at."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.ops import StochasticDepth

from imagelab.data.preprocess import Preprocess
from imagelab.model.detnet import COARSEST, DETNET59, DetNetMaps
from imagelab.model.efficientnet_lite0 import NAME, lite0_weights
from imagelab.model.resnet9 import ResNet9
from imagelab.model.small_backbone import SmallBackbone
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.timm import timm_preprocess
from imagelab.model.torchvision import torchvision_model, torchvision_preprocess
from imagelab.problem import Problem, first_line, nearest

PROBE = 256  # pixels: side of the image by which the maps of a network are found
LITE0 = ("efficientnet_lite0", "tf_efficientnet_lite0")  # weights for them come as a package
CLASSIFIERS: dict[str, Any] = {"resnet9": ResNet9, "small_cnn": SmallCNN}  # of this project
OWN = ("small", "detnet", *CLASSIFIERS)


def backbone_of(
    name: str, args: Mapping[str, Any], pretrained: bool, in_channels: int, levels: Sequence[int]
) -> tuple[nn.Module, list[int]]:
    """Build a network that returns the last map of each level; return it and the channels of its maps.

    Args:
        name: A network of this project (`OWN`), or a name of timm or torchvision.
        args: Further arguments of that network.
        pretrained: Whether to start from ImageNet weights.
        in_channels: Channels of an image.
        levels: Levels of the maps, ascending: level n has a stride of 2^n pixels, or as in `strides_of`.

    Raises:
        Problem: There is no such network, it does not take the arguments, or it has no weights or not all of
            these levels.
    """
    if pretrained:
        refuse_without_weights(name)
    try:
        if name in ("small", "detnet"):
            given = {"in_channels": in_channels, "levels": levels}
            own = {**DETNET59, **args} if name == "detnet" else args
            body = (DetNetMaps if name == "detnet" else SmallBackbone)(**own, **given)
            return body, body.channels
        if name in CLASSIFIERS:
            net = CLASSIFIERS[name](num_classes=2, in_channels=in_channels, **args)
            return _cut(net, name, in_channels, levels)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise _refused(name, args, error) from error
    return _of_timm(name, args, pretrained, in_channels, levels) or _of_torchvision(
        name, args, pretrained, in_channels, levels
    )


def strides_of(name: str, levels: Sequence[int]) -> list[int]:
    """The strides of the maps of a backbone.

    >>> strides_of("resnet50", [3, 4, 5, 6]), strides_of("detnet", [3, 4, 5, 6])
    ([8, 16, 32, 64], [8, 16, 16, 16])
    """
    return [2 ** min(level, COARSEST if name == "detnet" else level) for level in levels]


def _refused(name: str, args: Mapping[str, Any], error: Exception) -> Problem:
    like = "" if name == "small" else f"; configs/model/{name}.yaml has an example of all that it takes"
    return Problem(f"model.backbone_args={dict(args)} does not suit {name}: {first_line(error)}{like}")


def backbone_preprocess(name: str) -> Preprocess:
    """The preprocessing that the ImageNet weights of a backbone expect.

    Raises:
        Problem: There is no such network, or it has no weights.
    """
    import timm

    refuse_without_weights(name)
    if name in LITE0:
        return timm_preprocess(LITE0[-1])
    return timm_preprocess(name) if timm.is_model(name) else torchvision_preprocess(name)


def refuse_without_weights(name: str) -> None:
    """Raise a Problem if there is no network of this name, or none that anyone has trained."""
    import timm

    if name in OWN:
        raise Problem(f"model.pretrained=true: model.backbone={name} has no weights; choose another one")
    known = models.list_models(module=models)
    if name not in LITE0 and not timm.is_model(name) and name not in known:
        raise _unknown(name, known)


def _unknown(name: str, known: list[str]) -> Problem:
    hint = nearest(name, [*OWN, *known]) or "; see https://docs.pytorch.org/vision/stable/models.html"
    return Problem(f"model.backbone={name}: neither timm nor torchvision has such a network{hint}")


def _of_timm(
    name: str, args: Mapping[str, Any], pretrained: bool, in_channels: int, levels: Sequence[int]
) -> tuple[nn.Module, list[int]] | None:
    """The maps of a network of timm; None if timm has no such network."""
    import timm

    if not timm.is_model(LITE0[-1] if name in LITE0 else name):
        return None
    options = {**_options(name, pretrained), **args}
    try:
        net: Any = timm.create_model(features_only=True, in_chans=in_channels, **options)
        strides = net.feature_info.reduction()
        wanted = [_last(strides, 2**level, name, levels) for level in levels]
        net = timm.create_model(features_only=True, in_chans=in_channels, out_indices=wanted, **options)
    except TypeError as error:
        raise Problem(
            f"model.backbone_args={dict(args)} does not suit {name} of timm: {first_line(error)}"
        ) from error
    except (RuntimeError, AttributeError, AssertionError, OSError, ValueError) as error:
        raise Problem(
            f"model.backbone={name} cannot be used below a detector ({first_line(error)})"
        ) from error
    _leave_out_the_rest(net)
    return net, net.feature_info.channels()


def _leave_out_the_rest(net: Any) -> None:
    """Leave the blocks after the last map out; timm keeps and runs them in EfficientNets and MobileNets."""
    blocks, _, last = net.feature_info.module_name()[-1].rpartition(".")
    if blocks == "blocks" and isinstance(net.blocks, nn.Sequential):
        net.blocks = net.blocks[: int(last) + 1]


def _options(name: str, pretrained: bool) -> dict[str, Any]:
    if name not in LITE0:
        return {"model_name": name, "pretrained": pretrained}
    start = {"pretrained_cfg_overlay": {"state_dict": lite0_weights()}} if pretrained else {}
    return {"model_name": NAME, "pretrained": pretrained} | start


def _of_torchvision(
    name: str, args: Mapping[str, Any], pretrained: bool, in_channels: int, levels: Sequence[int]
) -> tuple[nn.Module, list[int]]:
    """The maps of a network of torchvision."""
    known = models.list_models(module=models)
    if name not in known:
        raise _unknown(name, known)
    if args:
        raise Problem(
            f"model.backbone_args: {name} of torchvision takes none, got {dict(args)}; leave it out"
        )
    net = torchvision_model(
        name=name, pretrained=pretrained, num_classes=2, in_channels=in_channels, size=PROBE
    )
    return _cut(net, name, in_channels, levels)


def _cut(net: nn.Module, name: str, in_channels: int, levels: Sequence[int]) -> tuple[nn.Module, list[int]]:
    """The maps of a classifier, without the layers after the last of them."""
    found = _maps(net, in_channels)
    wanted = [_last([*found], 2**level, name, levels) for level in levels]
    picked = [[*found.values()][place] for place in wanted]
    body = create_feature_extractor(
        net,
        {module: str(n) for n, (module, _) in enumerate(picked)},
        tracer_kwargs={"leaf_modules": [StochasticDepth]},  # so that it is off where its stage is frozen
    )
    return Listed(body), [channels for _, channels in picked]


def _last(strides: Sequence[int], stride: int, name: str, levels: Sequence[int]) -> int:
    if stride not in strides:
        there = [stride.bit_length() - 1 for stride in sorted(set(strides))]
        raise Problem(f"model.levels: model.backbone={name} has levels {there}, got {[*levels]}")
    return len(strides) - 1 - [*reversed(strides)].index(stride)


def _maps(net: nn.Module, in_channels: int) -> dict[int, tuple[str, int]]:
    """The last module with a map of each stride, and its channels, by stride.

    What comes before the shrinking layer inside of a block that shrinks its input belongs to the next stage.
    """
    seen: dict[
        str, tuple[int, int, int]
    ] = {}  # strides of input and output, and channels; inner modules first

    def record(name: str, given: object, made: object) -> None:
        if isinstance(given, Tensor) and isinstance(made, Tensor) and made.ndim == 4 and made.shape[-1] > 1:
            seen.pop(name, None)
            seen[name] = PROBE // given.shape[-1], PROBE // made.shape[-1], made.shape[1]

    hooks = [
        module.register_forward_hook(lambda _, given, made, name=name: record(name, [*given, None][0], made))
        for name, module in net.named_modules()
        if name
    ]
    with torch.no_grad():
        net.eval()(torch.zeros(1, in_channels, PROBE, PROBE))
    for hook in hooks:
        hook.remove()
    net.train()
    found = {}
    for name, (_, stride, channels) in seen.items():
        around = [name[:dot] for dot in range(len(name)) if name[dot] == "."]
        if not any(seen[one][0] == stride != seen[one][1] for one in around if one in seen):
            found[stride] = name, channels
    return dict(sorted(found.items()))


class Listed(nn.Module):
    """Maps images to a list of feature maps.

    Args:
        net: Images -> feature maps by name.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, C, H, W) -> maps, the finest first."""
        return [*self.net(images).values()]
