"""Feed batches of any size, without end, made like the run's own."""

from collections.abc import Iterator

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor

from imagelab.contracts import Batch, Inputs
from imagelab.data.batches import Address
from imagelab.data.image_data import ImageData
from imagelab.randomness import sample_keys

POOL = 256  # different images; larger batches repeat them: content does not affect speed


class FullBatches(LightningDataModule):
    """Feeds batches of a given size, augmented and mixed like the run's own.

    Args:
        data: Data module of the run.
        pool: Images to make batches from.
        batch: Images per batch.
        count: Number of batches.
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
    """The batches of `FullBatches`, as a loader for Lightning."""

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
    """Up to POOL training images, as a loader returns them."""
    index = np.arange(min(POOL, data.counts["train"]))
    return data.train_set[Address(0, 0, index, index)]


def full(pool: Batch, batch: int, views: int, *, seed: int, step: int) -> Batch:
    """Make a batch from a pool of images, repeating them if it has too few, with fresh draws.

    Args:
        pool: Images of the pool, view after view.
        batch: Images per batch, each in all its views.
        views: Views of each image, >= 1.
        seed: Seed of the draws.
        step: Index of the batch.
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
        signals=None if pool.signals is None else pool.signals[places],
    )


def _as_laid_out(images: Tensor, model: Tensor) -> Tensor:
    """Keep the channels-last layout that photos are loaded in: it is faster to normalise."""
    beside = model.is_contiguous(memory_format=torch.channels_last) and not model.is_contiguous()
    return images.contiguous(memory_format=torch.channels_last) if beside else images
