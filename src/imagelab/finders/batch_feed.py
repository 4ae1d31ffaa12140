"""Generate endless batches of any size, made like the run's own."""

from collections.abc import Iterator

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor

from imagelab.contracts import Batch, Inputs
from imagelab.data.batches import Address
from imagelab.data.image_data import ImageData
from imagelab.randomness import sample_keys

POOL = 256  # different images; larger batches show them again: what they show takes no time


class FullBatches(LightningDataModule):
    """Feeds batches of so many images, augmented and mixed as the run's own, and no end of them.

    Args:
        data: Of the run.
        pool: Some of its images.
        batch: Images of each.
        count: How many.
    """

    def __init__(self, data: ImageData, pool: Batch, *, batch: int, count: int) -> None:
        super().__init__()
        self.data = data
        self.pool = pool
        self.batch = batch
        self.count = count

    def train_dataloader(self) -> "Endless":
        return Endless(self)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Inputs:
        self.data.trainer = self.trainer
        return self.data.on_after_batch_transfer(batch, dataloader_idx)


class Endless:
    """What Lightning takes for a loader."""

    def __init__(self, of: FullBatches) -> None:
        self.of = of

    def __len__(self) -> int:
        return self.of.count

    def __iter__(self) -> Iterator[Batch]:
        assert self.of.trainer is not None
        pinned = self.of.trainer.strategy.root_device.type == "cuda"
        for step in range(len(self)):
            made = full(self.of.pool, self.of.batch, self.of.data.views, seed=self.of.data.seed, step=step)
            yield made._replace(images=made.images.pin_memory()) if pinned else made


def pooled(data: ImageData) -> Batch:
    """Some training images, as a loader delivers them."""
    index = np.arange(min(POOL, data.counts["train"]))
    return data.train_set[Address(0, 0, index, index)]


def full(pool: Batch, batch: int, views: int, *, seed: int, step: int) -> Batch:
    """A batch of so many images of a pool, again and again where it has fewer, with draws of its own.

    Args:
        pool: Its images, view after view.
        batch: Images, each in all its views.
        views: Of each image, >= 1.
        seed: Of the draws.
        step: The place of the batch.
    """
    count = len(pool.labels) // views
    places = torch.cat([view * count + torch.arange(batch) % count for view in range(views)])
    return Batch(
        images=_as_laid_out(pool.images.index_select(0, places), pool.images),
        labels=pool.labels[places],
        keys=sample_keys(seed, step, torch.arange(len(places))),
        index=pool.index[places],
        epoch=0,
        step=step,
    )


def _as_laid_out(images: Tensor, model: Tensor) -> Tensor:
    """Photos come with their colours side by side, and are faster to normalise so."""
    beside = model.is_contiguous(memory_format=torch.channels_last) and not model.is_contiguous()
    return images.contiguous(memory_format=torch.channels_last) if beside else images
