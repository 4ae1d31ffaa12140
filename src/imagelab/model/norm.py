"""Replace a network's BatchNorm with a norm that works for small batches, with a frozen one, or with nothing.

Source: Wu & He 2018, https://arxiv.org/abs/1803.08494 (group); Ulyanov et al. 2016,
https://arxiv.org/abs/1607.08022 (instance).
"""

from collections.abc import Callable

from torch import Tensor, nn

from imagelab.model.replace import replace_layers
from imagelab.problem import Problem

GROUPS = 32


def set_norm(net: nn.Module, name: str) -> None:
    """Replace a network's norms; the new ones take over weights, statistics and attached activations.

    Args:
        net: Network, changed in place.
        name: Replacement for every BatchNorm2d. group: GroupNorm. instance: InstanceNorm, over each channel
            of an image alone, which needs maps larger than 1 x 1. frozen: BatchNorm whose statistics, scale
            and shift never change. none, weight, spectral: nothing; convolutions get the bias they lacked. A
            deep network then needs `model.init=lsuv`, as does an untrained one with frozen norms.
            batch: the reverse, BatchNorm2d for every GroupNorm.

    Raises:
        Problem: The network has no layer to replace.
    """
    makers: dict[str, Callable[[nn.Module], nn.Module | None]] = {
        "group": _group, "instance": _instance, "frozen": _frozen, "batch": _batch,
        "none": _none, "weight": _none, "spectral": _none,
    }  # fmt: skip
    count = replace_layers(net, makers[name])
    already = name == "batch" and any(isinstance(layer, nn.BatchNorm2d) for layer in net.modules())
    if not count and not already:
        kind = "GroupNorm" if name == "batch" else "BatchNorm2d"
        raise Problem(
            f"model.norm={name} replaces {kind}, and {type(net).__name__} has none; keep model.norm=default."
        )
    if makers[name] is _none:
        _add_biases(net)


class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm (B, C, H, W) -> the same shape."""

    def forward(self, input: Tensor) -> Tensor:
        if input.shape[-2:] == (1, 1):  # the value is its own mean
            raise Problem(
                "model.norm=instance: needs maps larger than 1 x 1, got them in this network; set a larger "
                "data.size, or model.norm=group."
            )
        return super().forward(input)


def groups_of(channels: int) -> int:
    """Groups of a GroupNorm: the largest divisor up to 32 that leaves at least two channels per group.

    >>> [groups_of(channels) for channels in (1, 16, 48, 64, 100, 512)]
    [1, 8, 24, 32, 25, 32]
    """
    return max(n for n in range(1, GROUPS + 1) if channels % n == 0 and (n == 1 or channels // n >= 2))


def _group(old: nn.Module) -> nn.Module | None:
    if not isinstance(old, nn.BatchNorm2d):
        return None
    new = nn.GroupNorm(groups_of(old.num_features), old.num_features, eps=old.eps, affine=old.affine)
    return _with_activation(_take_over(old, new), old)


def _instance(old: nn.Module) -> nn.Module | None:
    if not isinstance(old, nn.BatchNorm2d):
        return None
    new = InstanceNorm(old.num_features, eps=old.eps, affine=old.affine)
    return _with_activation(_take_over(old, new), old)


def _batch(old: nn.Module) -> nn.Module | None:
    if not isinstance(old, nn.GroupNorm):
        return None
    new = nn.BatchNorm2d(old.num_channels, eps=old.eps, affine=old.affine)
    return _with_activation(_take_over(old, new), old)


def _frozen(old: nn.Module) -> nn.Module | None:
    if not isinstance(old, nn.BatchNorm2d):
        return None
    if _has_activation(old):
        from timm.layers.norm_act import freeze_batch_norm_2d

        return freeze_batch_norm_2d(old)
    from torchvision.ops import FrozenBatchNorm2d

    new = FrozenBatchNorm2d(old.num_features, eps=old.eps)
    state = {name: tensor.detach().clone() for name, tensor in old.state_dict().items()}
    new.load_state_dict(new.state_dict() | state)
    return new


def _none(old: nn.Module) -> nn.Module | None:
    return _with_activation(nn.Identity(), old) if isinstance(old, nn.BatchNorm2d) else None


def _take_over(old: nn.Module, new: nn.Module) -> nn.Module:
    scale_and_shift = {name: tensor.detach().clone() for name, tensor in old.named_parameters(recurse=False)}
    new.load_state_dict(scale_and_shift, strict=False)
    return new


def _has_activation(norm: nn.Module) -> bool:
    # timm's BatchNormAct2d and GroupNormAct are a norm, a drop layer and an activation in one.
    return isinstance(getattr(norm, "act", None), nn.Module)


def _with_activation(new: nn.Module, old: nn.Module) -> nn.Module:
    if not _has_activation(old):
        return new
    return nn.Sequential(new, old.get_submodule("drop"), old.get_submodule("act"))


def _add_biases(net: nn.Module) -> None:
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is None:
            layer.bias = nn.Parameter(layer.weight.new_zeros(layer.out_channels))
