"""Synchronise BatchNorm across processes on the CPU, where torch's SyncBatchNorm does not run.

Source: Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithm 1, over the batch of all processes.
"""

from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

SHARED = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


class SyncNorm(_BatchNorm):
    """Replaces a BatchNorm and shares its weights and statistics, under the same names in a checkpoint.

    Args:
        plain: Layer to replace; timm's may have a drop layer and an activation inside.
    """

    def __init__(self, plain: _BatchNorm) -> None:
        super().__init__(plain.num_features, eps=plain.eps, momentum=plain.momentum, affine=plain.affine)
        self.track_running_stats = plain.track_running_stats
        share(plain, self)
        self.after = [name for name in ("drop", "act") if isinstance(getattr(plain, name, None), nn.Module)]
        for name in self.after:
            self.add_module(name, plain.get_submodule(name))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) -> the same shape; in training, every process has to call it."""
        alone = not distributed.is_initialized() or distributed.get_world_size() == 1
        y = super().forward(x) if alone or not self.training else self._normalised(x)
        for name in self.after:
            y = self.get_submodule(name)(y)
        return y

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any shape: the replaced layer has checked it."""

    def _normalised(self, x: Tensor) -> Tensor:
        mean, variance, count = whole_batch(x.to(torch.promote_types(x.dtype, torch.float32)))
        with torch.no_grad():
            self._keep(mean, variance * count / (count - 1))
        scale = (variance + self.eps).rsqrt()
        scale, shift = (scale * self.weight, self.bias) if self.affine else (scale, torch.zeros_like(mean))
        return torch.addcmul(_by_channel(shift, x), x - _by_channel(mean, x), _by_channel(scale, x)).to(
            x.dtype
        )

    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def whole_batch(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (C,), variance (C,) and count of each channel's values over the x (B, C, ...) of all processes.

    Differentiable: gradients of one process reach the inputs of all.
    """
    sides = [side for side in range(x.ndim) if side != 1]
    count = _total(x.new_tensor(x.numel() / x.shape[1]))
    mean = _total(x.sum(sides)) / count
    return mean, _total((x - _by_channel(mean, x)).square().sum(sides)) / count, count


def share(giver: nn.Module, taker: nn.Module) -> None:
    """Give a norm the weights, statistics and mode of another, shared rather than copied."""
    for name in SHARED:
        setattr(taker, name, getattr(giver, name))
    taker.training = giver.training


class _Total(torch.autograd.Function):
    """Sum over all processes; the gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.contiguous().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _total(gradients[0])


def _total(x: Tensor) -> Tensor:
    return cast(Tensor, _Total.apply(x))


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (x.ndim - 2))
