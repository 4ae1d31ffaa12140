"""Group parameters by weight decay: weights decay; biases, scales, embeddings and tables do not.

Source: Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.3; He et al. 2018,
https://arxiv.org/abs/1812.01187, section 3.1, "no bias decay"; You et al. 2017,
https://arxiv.org/abs/1708.03888, section 4, for which parameters LARS adapts.
"""

from typing import Any

from torch import nn

from imagelab.optimizer.muon import muon_groups
from imagelab.optimizer.weight_names import weight_names

Groups = list[dict[str, Any]]


def optimizer_groups(net: nn.Module, own: dict[str, Any], decay_norm_bias: bool) -> Groups:
    """Make the parameter groups with all options that this optimizer takes per group, such as the peak `lr`.

    Args:
        net: See `param_groups`.
        own: Arguments of the optimizer.
        decay_norm_bias: See `param_groups`.
    """
    weight_decay = own.get("weight_decay")
    if weight_decay is None and ("always_adapt" in own or "fallback_lr_scale" in own):
        weight_decay = 0.0  # these treat weights in their own way, with and without decay
    groups = param_groups(net, weight_decay, decay_norm_bias)
    groups = [group | {"lr": own["lr"]} for group in groups]
    if "always_adapt" in own:  # by default, timm adapts what decays: nothing if weight_decay is 0
        adapted = {"decay": True, "no_decay": own["always_adapt"]}
        groups = [group | {"always_adapt": adapted[group["name"]]} for group in groups]
    if "fallback_lr_scale" in own:
        groups = muon_groups(net, groups, own["fallback_lr_scale"])
    return groups


def pair_groups(
    pair: Any, own: dict[str, Any], decay_norm_bias: bool, *, generator_rate: float
) -> Groups:  # room: generators
    """The parameter groups of both networks, with the network first in their names.

    Args:
        pair: The networks.
        own: Arguments of the optimizer.
        decay_norm_bias: Whether norms and biases decay, too.
        generator_rate: Rate of the generator, as a share of that of the discriminator (Heusel et al. 2017,
            https://arxiv.org/abs/1706.08500, two time-scales).
    """
    rates = {"discriminator": own["lr"], "generator": own["lr"] * generator_rate}
    return [
        group | {"name": f"{network}/{group['name']}"}
        for network, rate in rates.items()
        for group in optimizer_groups(getattr(pair, network), own | {"lr": rate}, decay_norm_bias)
    ]


def param_groups(net: nn.Module, weight_decay: float | None, decay_norm_bias: bool) -> Groups:
    """Put parameters into one or two non-empty groups, each with its `name`, `params` and `weight_decay`.

    Args:
        net: Network; each of its parameters goes into exactly one group, frozen ones too.
        weight_decay: Weight decay of the group `decay`, >= 0; that of `no_decay` is 0. None: the optimizer
            has no weight decay, and all parameters are in one group, `all`.
        decay_norm_bias: Whether all parameters decay. Otherwise `no_decay` takes what is no weight
            (`weight_names`), and what the network lists in `no_weight_decay()`.
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
    # timm's convention: a network may exempt more.
    named: set[str] = set(net.no_weight_decay()) if hasattr(net, "no_weight_decay") else set()  # type: ignore[operator]
    return {name for name, _ in net.named_parameters()} - weight_names(net) | named
