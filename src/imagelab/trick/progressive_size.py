"""Train on small images first and on larger ones later, up to the size of the network's input.

Small images cost less, and the network cannot memorise details that they lack. Batch, rate and steps stay as
configured; evaluation uses the final size all along.

Source: Howard 2018, https://www.fast.ai/posts/2018-04-30-dawnbench-fastai.html, "progressive resizing";
Tan & Le 2021, https://arxiv.org/abs/2104.00298, section 4.
"""

from typing import Any

import torch
import torch.nn.functional as F
from lightning import Callback, Trainer
from torch import Tensor, nn

from imagelab.problem import Problem
from imagelab.training.preserve import preserve_modes


class ProgressiveSize(Callback):
    """Shrink augmented, normalised training images on the device, to a side that follows from the epoch.

    Args:
        start: Side at the start, as a share of the final one, in (0, 1).
        until: Share of the run after which images have the final size, in (0, 1].
        multiple: Sides are multiples of this, in pixels, >= 1.
    """

    needs_images = True
    resizes_images = True

    def __init__(self, *, start: float, until: float, multiple: int) -> None:
        self.start, self.until, self.multiple = start, until, multiple
        self.side = 0  # of the images of this epoch

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        if stage == "fit":
            least = self.side_in(0, trainer.max_epochs or 1, data.size)
            _try(pl_module.net, torch.zeros(1, data.in_channels, least, least))
            pl_module.net.register_forward_pre_hook(self._shrink)

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        self.side = self.side_in(trainer.current_epoch, trainer.max_epochs or 1, data.size)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        pl_module.write({"train/size": float(self.side)})

    def side_in(self, epoch: int, epochs: int, size: int) -> int:
        """The side of training images in an epoch, in pixels; it grows by equal steps from epoch to epoch."""
        share = min(1.0, self.start + (1 - self.start) * epoch / (self.until * epochs))
        return min(size, max(1, round(share * size / self.multiple)) * self.multiple)

    def _shrink(self, net: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        images, *others = given
        if not net.training or images.shape[-1] <= self.side:
            return given
        smaller = F.interpolate(images.float(), (self.side, self.side), mode="bilinear", antialias=True)
        return (smaller.to(images.dtype), *others)


def _try(net: nn.Module, image: Tensor) -> None:
    parameter = next(net.parameters())
    try:
        with torch.no_grad(), preserve_modes(net):
            net.eval()(image.to(parameter))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise Problem(
            f"trick.progressive_size.start: {type(net).__name__} does not take images of {image.shape[-1]} x "
            f"{image.shape[-1]} pixels; set a larger start, or choose a network for images of any size"
        ) from error
