"""Group parameters by weight decay: weights decay; biases and the scales and shifts of norms do not.

Source: Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.3; He et al. 2018,
https://arxiv.org/abs/1812.01187, section 3.1, "no bias decay"; You et al. 2017,
https://arxiv.org/abs/1708.03888, section 4, for which parameters LARS adapts.
"""

from typing import Any

from torch import nn

from imagelab.optimizer.muon import muon_groups

Groups = list[dict[str, Any]]
NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)


def optimizer_groups(net: nn.Module, own: dict[str, Any], decay_norm_bias: bool) -> Groups:
    """Make the parameter groups with all options that this optimizer takes per group, such as the peak `lr`.

    Args:
        net: See `param_groups`.
        own: Arguments of the optimizer.
        decay_norm_bias: See `param_groups`.
    """
    groups = param_groups(net, own.get("weight_decay"), decay_norm_bias)
    groups = [group | {"lr": own["lr"]} for group in groups]
    if "always_adapt" in own:  # by default, timm adapts what decays: nothing if weight_decay is 0
        adapted = {"decay": True, "no_decay": own["always_adapt"]}
        groups = [group | {"always_adapt": adapted[group["name"]]} for group in groups]
    if "fallback_lr_scale" in own:
        groups = muon_groups(net, groups, own["fallback_lr_scale"])
    return groups


def param_groups(net: nn.Module, weight_decay: float | None, decay_norm_bias: bool) -> Groups:
    """Put parameters into one or two non-empty groups, each with its `name`, `params` and `weight_decay`.

    Args:
        net: Network; each of its parameters goes into exactly one group, frozen ones too.
        weight_decay: Weight decay of the group `decay`, >= 0; that of `no_decay` is 0. None: the optimizer
            has no weight decay, and all parameters are in one group, `all`.
        decay_norm_bias: Whether all parameters decay. Otherwise `no_decay` takes norms, biases, everything
            else below two dimensions, and what the network lists in `no_weight_decay()`.
    """
    if weight_decay is None:
        return [{"name": "all", "params": list(net.parameters()), "weight_decay": 0.0}]
    exempt = set() if decay_norm_bias else _exempt(net)
    decay = [parameter for name, parameter in net.named_parameters() if name not in exempt]
    no_decay = [parameter for name, parameter in net.named_parameters() if name in exempt]
    groups = [
        {"name": "decay", "params": decay, "weight_decay": weight_decay},
        {"name": "no_decay", "params": no_decay, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def decaying(net: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of the group `decay` that are currently trained, by name."""
    exempt = _exempt(net)
    return {name: p for name, p in net.named_parameters() if name not in exempt and p.requires_grad}


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
