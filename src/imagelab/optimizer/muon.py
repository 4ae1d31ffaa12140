"""Split the weights between Muon, which takes the hidden ones, and AdamW, which takes all others.

Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; rates and decay of the two parts:
https://github.com/KellerJordan/Muon, README.
"""

from typing import Any

from torch import nn
from torch.nn import Parameter

from imagelab.optimizer.weight_names import LAYERS, weight_names
from imagelab.problem import Problem

Groups = list[dict[str, Any]]


def muon_groups(net: nn.Module, groups: Groups, fallback_lr_scale: float) -> Groups:
    """Move the hidden weights into a group of their own, `muon`, which comes first.

    The `lr` of each other group is the rate that AdamW uses, so that `lr/<group>` is logged correctly.

    Args:
        net: Network that owns the parameters.
        groups: Groups with "name", "params", "weight_decay" and "lr"; all hidden weights are in `decay`.
        fallback_lr_scale: Rate of AdamW as a share of Muon's rate.

    Raises:
        Problem: There are no hidden weights.
    """
    weights = {id(net.get_parameter(name)) for name in weight_names(net)} - _outer(net)
    decay = [parameter for group in groups if group["name"] == "decay" for parameter in group["params"]]
    hidden = [parameter for parameter in decay if id(parameter) in weights and _mixes_channels(parameter)]
    if not hidden:
        raise Problem(
            "optimizer: Muon is for the weights between the first and the last layer, and this network "
            "has none there; set optimizer=adamw"
        )
    first = next(group for group in groups if group["name"] == "decay")
    taken = {id(parameter) for parameter in hidden}
    others = [
        group
        | {
            "params": [parameter for parameter in group["params"] if id(parameter) not in taken],
            "lr": group["lr"] * fallback_lr_scale,
            "fallback_lr_scale": 1.0,
            "use_fallback": True,
            "nesterov": False,  # with it, timm takes NAdamW
        }
        for group in groups
    ]
    muon = first | {"name": "muon", "params": hidden, "use_muon": True}
    return [muon, *(group for group in others if group["params"])]


def _outer(net: nn.Module) -> set[int]:
    """The weights of the first and the last layer."""
    layers = [layer for layer in net.modules() if isinstance(layer, LAYERS)]
    return {id(parameter) for layer in [*layers[:1], *layers[-1:]] for parameter in layer.parameters()}


def _mixes_channels(weight: Parameter) -> bool:
    # A depthwise convolution, (C, 1, k, k), is no matrix from channels to channels.
    return weight.shape[0] > 1 and weight.shape[1] > 1
