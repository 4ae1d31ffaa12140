"""Apply dropout to single features before the last layer, or to whole channels between stages.

Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html (dropout); Tompson et al. 2015,
https://arxiv.org/abs/1411.4280, section 3.2 (dropout2d). Hooks, not layers, so weights keep their names.
"""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import GraphModule

from imagelab.model.head import last_layer
from imagelab.model.stages import Stage, stages
from imagelab.problem import Problem


def set_dropout(net: nn.Module, rate: float) -> None:
    """Apply dropout to the features before the last layer.

    If the head has dropout layers of its own, their rate is set instead.

    Args:
        net: Network, changed in place.
        rate: Probability of dropping a feature, in [0, 1); the others are scaled up.
    """
    own = _own_dropout(net, stages(net)[-1])
    for layer in own:
        layer.p = rate
    if not own:
        last_layer(net)[1].register_forward_pre_hook(partial(_drop_features, rate=rate))


def set_dropout2d(net: nn.Module, rate: float) -> None:
    """Apply dropout of whole channels to the output of each convolutional stage.

    Args:
        net: Network, changed in place.
        rate: Probability of dropping a channel, in [0, 1); the others are scaled up.

    Raises:
        Problem: The network has no such stage; or, when it first runs, a stage's output is not (B, C, H, W).
    """
    if any(isinstance(layer, GraphModule) for layer in net.modules()):
        raise Problem(
            "model.dropout2d drops channels between stages, and those of the network below this "
            f"{type(net).__name__} were traced into one; set model.dropout2d=null, or a backbone of timm."
        )
    body = stages(net)[:-1]
    convolutional = [stage for stage in body if _has_convolution(net, stage)]
    if not convolutional or (len(body) > 1 and convolutional == body[:1]):  # patches cut by a convolution
        raise Problem(
            "model.dropout2d drops channels of the feature maps between convolutions, and "
            f"{type(net).__name__} has none; set model.dropout2d=null, or use model.dropout for features."
        )
    for stage in convolutional:
        last = net.get_submodule(stage.modules[-1])
        last.register_forward_hook(partial(_drop_channels, rate=rate, stage=stage.name))


def _own_dropout(net: nn.Module, head: Stage) -> list[nn.Dropout]:
    named = (
        (name, layer)
        for root in head.modules
        for name, layer in net.get_submodule(root).named_modules(prefix=root)
    )
    return [layer for name, layer in named if isinstance(layer, nn.Dropout) and "attn" not in name]


def _has_convolution(net: nn.Module, stage: Stage) -> bool:
    layers = (layer for root in stage.modules for layer in net.get_submodule(root).modules())
    return any(isinstance(layer, nn.Conv2d) for layer in layers)


def _drop_features(layer: nn.Module, inputs: tuple[Tensor, ...], *, rate: float) -> tuple[Tensor, ...]:
    return (F.dropout(inputs[0], rate, layer.training), *inputs[1:])


def _drop_channels(layer: nn.Module, _: object, maps: object, *, rate: float, stage: str) -> Tensor:
    if not isinstance(maps, Tensor) or maps.ndim != 4:
        raise Problem(
            f"model.dropout2d drops channels of feature maps (B, C, H, W), and stage {stage} of this network "
            "returns something else; set model.dropout2d=null."
        )
    return F.dropout2d(maps, rate, layer.training)
