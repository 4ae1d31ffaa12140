"""Provide the data of a run: split, stored for speed, loaded batch by batch, augmented and mixed."""

from collections.abc import Sequence
from typing import Any, Literal

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from imagelab.augment import apply
from imagelab.augment.boxes import augment_with_boxes, box_steps  # room: detection
from imagelab.box_labels import BoxFault  # room: detection
from imagelab.config.facts import said_by
from imagelab.contracts import Batch, Inputs, Mix, Source
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address, EvalBatches, TrainBatches, resume_position, too_large
from imagelab.data.box_frames import frame_boxes  # room: detection
from imagelab.data.chain import join_extra
from imagelab.data.converted import converted
from imagelab.data.dataset import batches_of
from imagelab.data.extra import ExtraFolder
from imagelab.data.fit_preprocess import centred, fit_preprocess, photo_geometry
from imagelab.data.preprocess import Preprocess
from imagelab.data.signalled import Signalled, fit_signals, without_image
from imagelab.data.splits import Splits, prepare_splits
from imagelab.data.storage import Storage, store_splits
from imagelab.data.views import Views
from imagelab.data.visible import EVERYTHING, Visible
from imagelab.data.workers import make_loader, worker_count
from imagelab.problem import Problem
from imagelab.randomness import stream

Loader = DataLoader[Batch]


class ImageData(lightning.LightningDataModule):
    """A data set that is ready for training; after construction everything about it is known.

    Args:
        source: Data set.
        augment: Augmentations of training images, in this order; mixing comes after normalisation.
        seed: Seed of every random draw, except of the choice of held-out images.
        preprocess: Preprocessing of the initial weights; None: fitted to the training images.
        batch_size: Images per step and device, or "full": all training images in one step.
        workers: Number of processes that make batches; "auto": 0 for images in memory, up to 8 for photos.
        size: Side of the network's input in pixels; None: chosen by the data set.
        limit: Most images per split (of all folds together), the same share of each class.
        classes: Names of the classes to use; None: all.
        balance: Whether to draw every class equally often.
        decisions: Table of images to drop or relabel, in whichever split they are.
        storage: Where pictures from files are kept.
        task: Class of the task (`task/contract.py`). If it has several views, val and test are augmented too.
        visible: What the network sees of an image.
        extra: Images that join the training images; None: none.
        held_out: The other arguments of `prepare_splits`: which images are held out.

    Raises:
        Problem: The images cannot be trained on.
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
        decisions: str | None,
        storage: Storage,
        task: Any,
        visible: Visible = EVERYTHING,
        extra: ExtraFolder | None = None,
        **held_out: Any,
    ) -> None:
        super().__init__()
        self.seed, self.balance = seed, balance
        self.task, self.views, self.boxes = task, said_by(task).views, said_by(task).takes == "boxes"
        self.workers: int | Literal["auto"] = workers
        self.single = [one for one in augment if not isinstance(one, Mix)]
        self.mixing = [one for one in augment if isinstance(one, Mix)]
        dealt = prepare_splits(source, classes=classes, limit=limit, decisions=decisions, **held_out)
        self.classes, self.named, self.decided = dealt
        self.box_faults: Sequence[BoxFault] = getattr(source, "faults", ())  # room: detection
        self.visible = without_image(source, visible)
        self.extra = extra and extra.choose(self.classes, self.named["train"].labels)
        self._store(dealt.splits, size, preprocess, storage=storage, pooled=held_out["folds"] is not None)
        self.preprocess, self.signals = fit_signals(source, self.named, self.preprocess)
        self.full_batch = batch_size == "full"
        self.batch_size = self.counts["train"] if batch_size == "full" else batch_size
        self._divide_augmentation()
        self.train_set = self._viewed("train", augmented=True)
        self._try_first_step()

    def _store(self, splits: Splits, size: int | None, given: Preprocess | None, **kept: Any) -> None:
        """Store the splits for speed, no larger than needed, and fit the preprocessing to them."""
        square = self.visible.stored(size or (given and given.size))
        geometry = photo_geometry(given, size, self.visible, whole=self.boxes)
        train_short = max(geometry.resize, apply.least_side(self.single, geometry.size))
        short = train_short if self.views > 1 else geometry.resize
        self.splits = store_splits(splits, size=square, short=short, train_short=train_short, **kept)
        fitted = fit_preprocess(
            given, size, self.splits["train"], splits["train"], self.visible, whole=self.boxes
        )
        self.preprocess = centred(fitted) if said_by(self.task).centred else fitted
        self.splits = frame_boxes(self.splits, splits, self.preprocess.size)  # room: detection
        self.splits = join_extra(self.splits, self.named, self.extra)

    def _divide_augmentation(self) -> None:
        """Augment whole batches on the device if images are in memory, else single images in workers."""
        in_memory = isinstance(self.splits["train"], Arrays) or self.boxes
        whole = in_memory and not any(apply.is_library(one) for one in self.single)
        self.on_device = apply.batch_steps(self.single) if whole and not self.boxes else []
        self.with_boxes = box_steps(self.single) if self.boxes else []  # room: detection
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
        """The number of images in each split."""
        return {split: len(images) for split, images in self.splits.items()}

    @property
    def has_test(self) -> bool:
        """Whether there is a test split."""
        return "test" in self.splits

    def batch(self, ranks: int) -> int:
        """The number of images in a training batch on each of `ranks` devices."""
        return max(1, self.counts["train"] // ranks) if self.full_batch else self.batch_size

    def steps(self, ranks: int) -> int:
        """The number of batches per epoch on each of `ranks` devices.

        Raises:
            Problem: There are not enough images for one batch on each device.
        """
        if steps := len(self.train_batches(epoch=0, start=0, rank=0, ranks=ranks)):
            return steps
        raise Problem(too_large(self.batch_size, self.counts["train"], ranks))

    def train_batches(self, *, epoch: int, start: int, rank: int, ranks: int) -> TrainBatches:
        """The sampler of a rank's training batches, from batch `start` of an epoch on."""
        labels, size = self.splits["train"].labels, self.batch(ranks)
        where = {"epoch": epoch, "start": start, "rank": rank, "ranks": ranks}
        return TrainBatches(labels, batch_size=size, balance=self.balance, seed=self.seed, **where)

    def dataset(self, split: str, *, augmented: bool) -> Dataset[Batch]:
        """The batches of a split by address, where asked for augmented as far as not done on the device."""
        batches = batches_of(self.splits[split], self.in_workers if augmented else [], self.preprocess)
        return Signalled(batches, self.signals[split]) if self.signals else batches

    def sample(self, count: int) -> Tensor:
        """Up to `count` training images as the network sees them, not augmented; chosen by the seed."""
        index = stream(self.seed, "sample").permutation(self.counts["train"])[:count]
        return self.seen(self.plain("train", index))

    def plain(self, split: str, index: np.ndarray) -> Batch:
        """The images of a split at indices, (B,) int64, not augmented."""
        return self.dataset(split, augmented=False)[Address(0, 0, index, index)]

    def seen(self, batch: Batch) -> Tensor:
        """The images of a batch as the network sees them, (B, C + S, H, W) float, not augmented further."""
        return self.preprocess(batch.images, *[] if batch.signals is None else [batch.signals])

    def eval_loader(self, split: str, *, rank: int, ranks: int) -> Loader:
        """Load every image of a split once, as it is; with several views, all views of it."""
        sampler = EvalBatches(self.counts[split], batch_size=self.batch_size, rank=rank, ranks=ranks)
        augmented = self.views > 1
        slow = self._decoded(split) or (augmented and bool(self.in_workers))
        return self._loader(self._viewed(split, augmented=augmented), sampler, slow)

    def train_loader(self, *, epoch: int, start: int, rank: int, ranks: int) -> Loader:
        """Load the training batches of a rank, from batch `start` of an epoch on."""
        sampler = self.train_batches(epoch=epoch, start=start, rank=rank, ranks=ranks)
        return self._loader(self.train_set, sampler, self._decoded("train") or bool(self.in_workers))

    def train_dataloader(self) -> Loader:
        assert self.trainer is not None
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        epoch, start = resume_position(self.trainer, self.steps(ranks))
        return self.train_loader(epoch=epoch, start=start, rank=rank, ranks=ranks)

    def val_dataloader(self) -> Loader:
        return self._eval_dataloader("val")

    def test_dataloader(self) -> Loader:
        return self._eval_dataloader("test")

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Inputs:
        assert self.trainer is not None
        inputs = self.prepare_batch(batch, train=self.trainer.training, rank=self.trainer.global_rank)
        return converted(inputs, self.trainer.precision_plugin.convert_input)

    def prepare_batch(self, batch: Batch, *, train: bool, rank: int) -> Inputs:
        """Augment a batch on its device, normalise it and, in training, mix it."""
        augmented = train or self.views > 1
        batch = augment_with_boxes(batch, self.with_boxes if augmented else [])  # room: detection
        steps = self.on_device if augmented else []
        images = self.seen(batch._replace(images=apply.augment_batch(batch.images, batch.keys, steps)))
        mixed = train and bool(self.mixing)
        targets = self.task.targets(batch.labels, classes=len(self.classes), mixed=mixed)
        if mixed:
            rng = stream(self.seed, "mix", batch.epoch, batch.step, rank)
            images, targets = apply.mix_batch(images, targets.to(images.dtype), self.mixing, rng)
        return Inputs(images=images, targets=targets, labels=batch.labels, index=batch.index)

    def _viewed(self, split: str, *, augmented: bool) -> Dataset[Batch]:
        batches = self.dataset(split, augmented=augmented)
        return Views(batches, count=self.views) if self.views > 1 else batches

    def _decoded(self, split: str) -> bool:
        """Whether the images are decoded on request, one by one."""
        return not isinstance(self.splits[split], Arrays)

    def _eval_dataloader(self, split: str) -> Loader:
        assert self.trainer is not None
        return self.eval_loader(split, rank=self.trainer.global_rank, ranks=self.trainer.world_size)

    def _loader(self, dataset: Dataset[Batch], sampler: TrainBatches | EvalBatches, slow: bool) -> Loader:
        ranks = self.trainer.num_devices if self.trainer else 1
        workers = worker_count(self.workers, one_by_one=slow, batches=len(sampler), ranks=ranks)
        on_cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return make_loader(dataset, sampler, workers=workers, pin_memory=on_cuda)

    def _try_first_step(self) -> None:
        """Raise the Problem that the first step would raise, before the run begins."""
        self.steps(ranks=1)
        if isinstance(images := self.splits["train"], Arrays):
            apply.augment_batch(images.images[:2], torch.arange(2), self.on_device)
