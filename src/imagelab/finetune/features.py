"""Compute the features of a frozen network once, before the first epoch, and train the head on them.

Source: Kornblith et al. 2019, https://arxiv.org/abs/1805.08974, section 3: a linear probe of fixed features.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor, nn
from torch.utils.data import Dataset

from imagelab.contracts import Batch
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address
from imagelab.data.dataset import ArrayBatches
from imagelab.data.image_data import ImageData
from imagelab.data.workers import make_loader, worker_count
from imagelab.model.capture import capturing
from imagelab.randomness import sample_keys
from imagelab.terminal import screen
from imagelab.training.stop import Stopped, StopRequest

LARGEST_BATCH = 256  # images: a full batch need not fit on the device together with all activations
SWAPPED = ("splits", "train_set", "on_device", "in_workers", "workers", "preprocess")


@dataclass(frozen=True)
class Features(Arrays):
    """Features of a frozen network in place of images: `images` are (N, ...) float."""

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels for the features of {len(self.images)} images")


class ViewBatches(Dataset[Batch]):
    """Whole batches of features; with several views of the images, epochs take turns through them.

    Args:
        views: Features of all images, one set per view.
    """

    def __init__(self, views: Sequence[Features]) -> None:
        self.views = [ArrayBatches(view, steps=[]) for view in views]

    def __getitem__(self, address: Address) -> Batch:
        return self.views[address.epoch % len(self.views)][address]


class FeatureCache(Callback):
    """Replace a run's images by features, and its network by the head, while it is trained.

    Checkpoints hold no features: a resumed run computes the same ones again.

    Args:
        layers: Names of the layers that turn features into logits; empty: train on images as usual.
        views: Number of views per training image; view v is the one of epoch v. 0: the plain image.
        why: Sentence that explains this choice.
        stop: Stop flag, read after every batch.
    """

    def __init__(self, *, layers: list[str], views: int, why: str, stop: StopRequest) -> None:
        self.layers = layers
        self.views = views
        self.why = why
        self.stop = stop
        self.before: dict[str, Any] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: Any) -> None:
        began = time.monotonic()
        if self.layers:
            self._swap(trainer, pl_module)
        seconds = f" That took {time.monotonic() - began:.1f} s." if self.layers else ""
        screen.say(self.why + seconds)

    def on_fit_end(self, trainer: Trainer, pl_module: Any) -> None:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        for name, value in self.before.items():
            setattr(data, name, value)
        self.before = {}
        pl_module.head_layers = []

    def _swap(self, trainer: Trainer, module: Any) -> None:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        views = range(self.views) if self.views else [None]
        with capturing(module.net, self.layers[0]) as seen:
            train = [self._features(trainer, module, seen, "train", view) for view in views]
            val = self._features(trainer, module, seen, "val", None)
        self.before = {name: getattr(data, name) for name in SWAPPED}
        data.splits = data.splits | {"train": train[0], "val": val}
        data.train_set = ViewBatches(train)
        data.on_device = []
        data.in_workers = []
        data.workers = 0
        data.preprocess = nn.Identity()
        module.head_layers = self.layers

    @torch.no_grad()
    def _features(
        self, trainer: Trainer, module: Any, seen: list[Tensor], split: str, view: int | None
    ) -> Features:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        found = []
        precision = trainer.precision_plugin
        for batch in every_batch(data, split, view):
            inputs = data.prepare_batch(
                move_data_to_device(batch, module.device), train=view is not None, rank=0
            )
            with precision.forward_context():
                module(precision.convert_input(inputs.images))
            found.append(seen.pop().cpu())
            if self.stop.signum and trainer.world_size == 1:
                raise Stopped(self.stop.signum)
        return Features(torch.cat(found), data.splits[split].labels)


def every_batch(data: ImageData, split: str, view: int | None) -> Iterator[Batch]:
    """Yield each image of a split once, in order: plain, or as augmented in epoch `view`."""
    count = data.counts[split]
    size = min(data.batch_size, LARGEST_BATCH)
    addresses = []
    for step, start in enumerate(range(0, count, size)):
        index = np.arange(start, min(start + size, count))
        keys = sample_keys(data.seed, view or 0, torch.from_numpy(index)).numpy()
        addresses.append(Address(view or 0, step, index, keys))
    dataset = data.dataset(split, augmented=view is not None)
    slow = not isinstance(dataset, ArrayBatches) or bool(dataset.steps)
    workers = worker_count(data.workers, one_by_one=slow, batches=len(addresses))
    return iter(make_loader(dataset, addresses, workers=workers, pin_memory=False))
