"""The data of a run: split, kept where it is fast, augmented, loaded batch by batch, mixed."""

from collections.abc import Sequence
from typing import Any, Literal

import lightning
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from imagelab.augment.apply import (
    PhotoAugment,
    augment_batch,
    batch_steps,
    is_library,
    least_side,
    mix_batch,
)
from imagelab.contracts import Batch, Inputs, Mix, Photos, Source
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address, EvalBatches, TrainBatches, position
from imagelab.data.dataset import ArrayBatches, PhotoBatches
from imagelab.data.fit_preprocess import fit_preprocess, photo_geometry
from imagelab.data.preprocess import Preprocess
from imagelab.data.splits import Splits, prepare_splits
from imagelab.data.storage import Storage, stored
from imagelab.data.views import Views
from imagelab.data.workers import make_loader, worker_count
from imagelab.problem import Problem
from imagelab.randomness import stream

Loader = DataLoader[Batch]


class ImageData(lightning.LightningDataModule):
    """A data set made ready; after construction everything about it is known.

    Args:
        source: The data set.
        augment: What happens to training images, in this order; mixing comes after normalisation.
        seed: Every draw follows from it; what is held out does not.
        preprocess: Of the weights that training starts from; None: made to fit the training images.
        batch_size: Images a device and step, or "full": all training images in one step.
        workers: Processes that make batches, or "auto": none for images in memory, up to 8 for photos.
        size: Side of the network's input in pixels; None: as the data set says.
        limit: Images a split, or all folds, at most, the same share of each class.
        classes: Only these, by name.
        balance: Draw every class equally often.
        val_fraction: Of the training images, where the source has no val split; in (0, 1).
        test_fraction: Of all images, where the source has one split only; in (0, 1).
        folds: So many parts of what is not for testing, one of them the val split; None: see `val_fraction`.
        fold: Which of them, from 0.
        decisions: A table of images to drop or to relabel, in whichever split they are.
        storage: Where pictures that come in files are kept.
        views: How often a batch shows each image. Above 1 all splits are augmented, val and test alike.

    Raises:
        Problem: What cannot be trained on.
    """

    def __init__(
        self,
        *,
        source: Source,
        augment: Sequence[object],
        seed: int,
        preprocess: Preprocess | None,
        batch_size: int | Literal["full"],
        workers: int | Literal["auto"],
        size: int | None,
        limit: int | None,
        classes: list[str | int] | None,
        balance: bool,
        val_fraction: float,
        test_fraction: float,
        folds: int | None,
        fold: int | None,
        decisions: str | None,
        storage: Storage,
        views: int,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.balance = balance
        self.views = views
        self.workers: int | Literal["auto"] = workers
        self.single = [one for one in augment if not isinstance(one, Mix)]
        self.mixing = [one for one in augment if isinstance(one, Mix)]
        held_out: Any = {"val_fraction": val_fraction, "test_fraction": test_fraction} | {"fold": fold}
        self.classes, splits, self.named, self.decided = prepare_splits(
            source, classes=classes, limit=limit, decisions=decisions, folds=folds, **held_out
        )
        self._store(splits, storage, size, preprocess)
        self.full_batch = batch_size == "full"
        self.batch_size = self.counts["train"] if batch_size == "full" else batch_size
        self._divide_augmentation()
        self.train_set = self._viewed("train", augmented=True)
        self._try_first_step()

    def _store(self, splits: Splits, storage: Storage, size: int | None, given: Preprocess | None) -> None:
        """Keep the splits where they are fast, no larger than needed, and fit the preprocessing to them."""
        square = size or (given and given.size)
        geometry = photo_geometry(given, size)
        train_short = max(geometry.resize, least_side(self.single, geometry.size))
        short = train_short if self.views > 1 else geometry.resize
        self.splits = stored(splits, storage, size=square, short=short, train_short=train_short)
        self.preprocess = fit_preprocess(given, size, self.splits["train"], splits["train"])

    def _divide_augmentation(self) -> None:
        """Augment whole batches on the device if images lie in memory, else single ones in workers."""
        in_memory = isinstance(self.splits["train"], Arrays)
        whole = in_memory and not any(is_library(one) for one in self.single)
        self.on_device = batch_steps(self.single) if whole else []
        self.in_workers = [] if whole else self.single

    @property
    def in_channels(self) -> int:
        """Channels of the network's input."""
        return self.preprocess.channels

    @property
    def size(self) -> int:
        """Side of the network's input, in pixels."""
        return self.preprocess.size

    @property
    def counts(self) -> dict[str, int]:
        """Images of each split."""
        return {split: len(images) for split, images in self.splits.items()}

    @property
    def has_test(self) -> bool:
        """Whether there are images to test with."""
        return "test" in self.splits

    def batch(self, ranks: int) -> int:
        """Images of a training batch on each of so many devices."""
        return max(1, self.counts["train"] // ranks) if self.full_batch else self.batch_size

    def steps(self, ranks: int) -> int:
        """Batches of an epoch on each of so many devices.

        Raises:
            Problem: There is not one for each.
        """
        count = self.counts["train"]
        if steps := len(self.train_batches(epoch=0, start=0, rank=0, ranks=ranks)):
            return steps
        each = f"{self.batch_size} on each of {ranks} devices" if ranks > 1 else str(self.batch_size)
        raise Problem(
            f"data.batch_size: {each} is more than the {count} training images; "
            f"say data.batch_size=full, or a number up to {count // ranks}"
        )

    def train_batches(self, *, epoch: int, start: int, rank: int, ranks: int) -> TrainBatches:
        """Which images form the training batches of a rank, from one batch of an epoch on."""
        return TrainBatches(
            self.splits["train"].labels,
            batch_size=self.batch(ranks),
            balance=self.balance,
            seed=self.seed,
            rank=rank,
            ranks=ranks,
            epoch=epoch,
            start=start,
        )

    def dataset(self, split: str, *, augmented: bool) -> Dataset[Batch]:
        """The batches of a split by address, where asked for augmented as far as not done on the device."""
        images = self.splits[split]
        here = self.in_workers if augmented else []
        if isinstance(images, Arrays):
            return ArrayBatches(images, steps=batch_steps(here))
        assert isinstance(images, Photos)
        changes = PhotoAugment(here, size=self.size) if here else None
        return PhotoBatches(images, preprocess=self.preprocess, augment=changes)

    def sample(self, count: int) -> Tensor:
        """Up to so many training images as the network sees them, not augmented; the same for a seed."""
        index = stream(self.seed, "sample").permutation(self.counts["train"])[:count]
        return self.preprocess(self.dataset("train", augmented=False)[Address(0, 0, index, index)].images)

    def eval_loader(self, split: str, *, rank: int, ranks: int) -> Loader:
        """Every image of a split once, as it is; where there are several views, all of them."""
        sampler = EvalBatches(self.counts[split], batch_size=self.batch_size, rank=rank, ranks=ranks)
        augmented = self.views > 1
        slow = self._decoded(split) or (augmented and bool(self.in_workers))
        return self._loader(self._viewed(split, augmented=augmented), sampler, slow)

    def train_loader(self, *, epoch: int, start: int, rank: int, ranks: int) -> Loader:
        """The training batches of a rank, from one batch of an epoch on."""
        sampler = self.train_batches(epoch=epoch, start=start, rank=rank, ranks=ranks)
        return self._loader(self.train_set, sampler, self._decoded("train") or bool(self.in_workers))

    def train_dataloader(self) -> Loader:
        assert self.trainer is not None
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        epoch, start = position(self.trainer, self.steps(ranks))
        return self.train_loader(epoch=epoch, start=start, rank=rank, ranks=ranks)

    def val_dataloader(self) -> Loader:
        return self._eval_dataloader("val")

    def test_dataloader(self) -> Loader:
        return self._eval_dataloader("test")

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Inputs:
        assert self.trainer is not None
        inputs = self.inputs(batch, train=self.trainer.training, rank=self.trainer.global_rank)
        convert = self.trainer.precision_plugin.convert_input  # bf16-true wants bf16
        return inputs._replace(images=convert(inputs.images), targets=convert(inputs.targets))

    def inputs(self, batch: Batch, *, train: bool, rank: int) -> Inputs:
        """What the network sees of a batch: augmented on its device, normalised and, in training, mixed."""
        images, targets = batch.images, batch.labels
        if train or self.views > 1:
            images = augment_batch(images, batch.keys, self.on_device)
        images = self.preprocess(images)
        if train and self.mixing:
            targets = functional.one_hot(targets, len(self.classes)).to(images.dtype)
            rng = stream(self.seed, "mix", batch.epoch, batch.step, rank)
            images, targets = mix_batch(images, targets, self.mixing, rng)
        return Inputs(images=images, targets=targets, labels=batch.labels, index=batch.index)

    def _viewed(self, split: str, *, augmented: bool) -> Dataset[Batch]:
        batches = self.dataset(split, augmented=augmented)
        return Views(batches, count=self.views) if self.views > 1 else batches

    def _decoded(self, split: str) -> bool:
        """Whether the images are decoded when they are asked for, one by one."""
        return not isinstance(self.splits[split], Arrays)

    def _eval_dataloader(self, split: str) -> Loader:
        assert self.trainer is not None
        return self.eval_loader(split, rank=self.trainer.global_rank, ranks=self.trainer.world_size)

    def _loader(
        self, dataset: Dataset[Batch], sampler: TrainBatches | EvalBatches, one_by_one: bool
    ) -> Loader:
        workers = worker_count(self.workers, one_by_one=one_by_one, batches=len(sampler))
        on_cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return make_loader(dataset, sampler, workers=workers, pin_memory=on_cuda)

    def _try_first_step(self) -> None:
        """Raise now, before anything is made, the Problem that the first step would raise."""
        self.steps(ranks=1)
        images = self.splits["train"]
        if isinstance(images, Arrays):
            augment_batch(images.images[:2], torch.arange(2), self.on_device)
