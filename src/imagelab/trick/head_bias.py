"""Head bias from priors: the untrained network begins with the frequencies of the classes as its answer.

The first steps then need not learn them: no drop at the start of the loss curve that says nothing.

Source: Karpathy 2019, "A Recipe for Training Neural Networks", https://karpathy.github.io/2019/04/25/recipe/,
"init well"; Lin et al. 2017, https://arxiv.org/abs/1708.02002, section 3.3 and 4.1.
"""

from typing import Any

import numpy as np
import torch
from lightning import Callback, Trainer
from torch import Tensor, nn

from imagelab.data.image_data import ImageData
from imagelab.model.head import last_layer
from imagelab.problem import Problem

LEAST = 0.5  # images that a class without any counts as: log 0 is no number


class HeadBias(Callback):
    """Set the bias of the last layer to log p(class) of the training labels, before the first step.

    A run that goes on takes its own weights afterwards. The bias of a head that was loaded is replaced too.
    """

    needs_labels = True

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        if stage == "fit":
            self.prepare(pl_module, trainer.datamodule)  # pyright: ignore[reportAttributeAccessIssue]

    def prepare(self, module: Any, data: ImageData) -> None:
        """Set the bias of a module that is to learn these images."""
        images = torch.zeros(2, data.in_channels, data.size, data.size)
        parameter = next(module.net.parameters())
        labels = data.splits["train"].labels
        logs = log_priors(labels, len(data.classes), balanced=data.balance)
        set_bias(module.net, logs, images.to(parameter))


def log_priors(labels: np.ndarray, classes: int, *, balanced: bool) -> Tensor:
    """The logarithm of each class's share, (K,).

    >>> log_priors(np.array([0, 0, 0, 1]), 2, balanced=False).exp()
    tensor([0.7500, 0.2500])

    Args:
        labels: (N,) int64.
        classes: K.
        balanced: Whether every class is drawn equally often.
    """
    counts = np.maximum(np.bincount(labels, minlength=classes), LEAST)
    counts = np.ones(classes) if balanced else counts
    return torch.tensor(np.log(counts / counts.sum()), dtype=torch.float32)


@torch.no_grad()
def set_bias(net: nn.Module, logs: Tensor, images: Tensor) -> None:
    """Let the bias alone make these logits, also where the network scales what its last layer returns.

    Args:
        net: Changed in place.
        logs: (K,).
        images: A few, (B, C, H, W), of any content.

    Raises:
        Problem: The last layer has no bias, or does not make one logit for each class.
    """
    name, layer = last_layer(net)
    if layer.bias is None or layer.bias.numel() != logs.numel():
        raise Problem(
            f"trick.head_bias: {name} of {type(net).__name__} has no bias for each of {logs.numel()} "
            "classes; leave it out, or say another model"
        )
    mode = net.training
    net.eval()
    layer.bias.zero_()
    without = net(images)
    layer.bias.fill_(1.0)
    scale = (net(images) - without).float().mean()
    net.train(mode)
    layer.bias.copy_(logs / scale)
