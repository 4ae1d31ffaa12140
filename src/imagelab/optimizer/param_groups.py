"""Which parameters decay: weights do, biases and the scales and shifts of norms do not.

Source: Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.3; He et al. 2018,
https://arxiv.org/abs/1812.01187, section 3.1, "no bias decay".
"""

from typing import Any

from torch import nn

NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)


def param_groups(net: nn.Module, weight_decay: float, decay_norm_bias: bool) -> list[dict[str, Any]]:
    """The parameters in one or two groups, each with its `name`, `params` and `weight_decay`; none is empty.

    Args:
        net: Every parameter of it goes into exactly one group, frozen ones too.
        weight_decay: Of the group `decay`, >= 0; it is 0 in the group `no_decay`.
        decay_norm_bias: Whether everything decays. Otherwise `no_decay` takes the parameters of norms, biases
            and all else below two dimensions, and what the network itself names in `no_weight_decay()`.
    """
    exempt = set() if decay_norm_bias else _exempt(net)
    decay = [parameter for name, parameter in net.named_parameters() if name not in exempt]
    no_decay = [parameter for name, parameter in net.named_parameters() if name in exempt]
    groups = [
        {"name": "decay", "params": decay, "weight_decay": weight_decay},
        {"name": "no_decay", "params": no_decay, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _exempt(net: nn.Module) -> set[str]:
    small = {
        name for name, parameter in net.named_parameters() if parameter.ndim < 2 or name.endswith("bias")
    }
    norms = {
        f"{prefix}.{name}" if prefix else name
        for prefix, layer in net.named_modules()
        if isinstance(layer, NORMS)
        for name, _ in layer.named_parameters(recurse=False)
    }
    # timm's convention: position embeddings, class tokens.
    named: set[str] = set(net.no_weight_decay()) if hasattr(net, "no_weight_decay") else set()  # type: ignore[operator]
    return small | norms | named
def decaying(net: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of a network by name: what is in the group `decay`, and trained at present."""
    exempt = _exempt(net)
    return {name: p for name, p in net.named_parameters() if name not in exempt and p.requires_grad}


