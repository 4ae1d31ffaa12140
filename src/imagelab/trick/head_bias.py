"""Initialise the head's bias so that the untrained network predicts the class frequencies.

The first steps then need not learn them, so the loss curve does not start with a meaningless drop.

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

LEAST = 0.5  # image count to assume for an empty class, since log 0 is infinite


class HeadBias(Callback):
    """Set the bias of the last layer to log p(class) of the training labels, before the first step.

    If the loss weighs classes or takes a sigmoid, the bias is the constant with the lowest loss. A resumed
    run then loads its own weights. The bias of a pretrained head is replaced too.
    """

    needs_shares = True

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        if stage == "fit":
            self.prepare(pl_module, trainer.datamodule)  # pyright: ignore[reportAttributeAccessIssue]

    def prepare(self, module: Any, data: ImageData) -> None:
        """Set the bias of a module that will be trained on these images."""
        images = torch.zeros(2, data.in_channels, data.size, data.size)
        parameter = next(module.net.parameters())
        labels = data.splits["train"].labels
        shares = class_shares(labels, len(data.classes), balanced=data.balance)
        constant = getattr(module.task.criterion, "constant", torch.log)
        set_bias(module.net, constant(shares), images.to(parameter))


def class_shares(labels: np.ndarray, classes: int, *, balanced: bool) -> Tensor:
    """The share of images with each class, (K,).

    >>> class_shares(np.array([0, 0, 0, 1]), 2, balanced=False)
    tensor([0.7500, 0.2500])

    Args:
        labels: Labels of the images, (N,) int64, or (N, K) bool for several classes per image.
        classes: Number of classes, K.
        balanced: Whether all classes are sampled equally often.
    """
    if labels.ndim > 1:
        counts = labels.sum(axis=0).clip(LEAST, len(labels) - LEAST)
        return torch.tensor(counts / len(labels), dtype=torch.float32)
    counts = np.maximum(np.bincount(labels, minlength=classes), LEAST)
    counts = np.ones(classes) if balanced else counts
    return torch.tensor(counts / counts.sum(), dtype=torch.float32)


@torch.no_grad()
def set_bias(net: nn.Module, logs: Tensor, images: Tensor) -> None:
    """Set the bias so that it alone gives these logits, even if the network scales its last layer's output.

    Args:
        net: Network, changed in place.
        logs: Logits, (K,).
        images: A few images of any content, (B, C, H, W).

    Raises:
        Problem: If the last layer has no bias, or does not return one logit per class.
    """
    name, layer = last_layer(net)
    if layer.bias is None or layer.bias.numel() != logs.numel():
        raise Problem(
            f"trick.head_bias: {name} of {type(net).__name__} has no bias for each of {logs.numel()} "
            "classes; leave it out, or choose another model"
        )
    mode = net.training
    net.eval()
    layer.bias.zero_()
    without = net(images)
    layer.bias.fill_(1.0)
    scale = (net(images) - without).float().mean()
    net.train(mode)
    layer.bias.copy_(logs / scale)
