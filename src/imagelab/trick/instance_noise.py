# room: generators
"""Add Gaussian noise to what the layers of a discriminator get, and let it fade over the run.

Noise blurs both kinds of images, so that they overlap and the discriminator cannot be sure.

Source: Sønderby et al. 2017, https://arxiv.org/abs/1610.04490, section 4; Arjovsky & Bottou 2017,
https://arxiv.org/abs/1701.04862, section 3.
"""

from typing import Any

import torch
from lightning import Callback
from torch import Tensor, nn

LAYERS = (nn.Conv2d, nn.Linear)


class InstanceNoise(Callback):
    """Noise before each convolution and linear layer, in training only, with draws of torch.

    Args:
        std: Standard deviation at the first step, > 0; images are in [-1, 1].
        until: Share of the run after which there is none, in (0, 1].
    """

    needs_critic = True

    def __init__(self, *, std: float, until: float) -> None:
        self.std, self.until = std, until
        self.now = 0.0
        self.hooks: list[Any] = []

    def std_at(self, progress: float) -> float:
        """The standard deviation after a share of the run: it falls in a straight line.

        >>> noise = InstanceNoise(std=0.2, until=0.5)
        >>> noise.std_at(0.0), noise.std_at(0.25), noise.std_at(0.75)
        (0.2, 0.1, 0.0)
        """
        return self.std * max(0.0, 1 - progress / self.until)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        layers = [one for one in pl_module.net.discriminator.modules() if isinstance(one, LAYERS)]
        self.hooks = [layer.register_forward_pre_hook(self._add) for layer in layers]

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.now = self.std_at(trainer.global_step / pl_module.step_plan.total)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        for hook in self.hooks:
            hook.remove()

    def _add(self, layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not layer.training or not self.now:
            return None
        return (given[0] + self.now * torch.randn_like(given[0]), *given[1:])
