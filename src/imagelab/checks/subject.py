"""What is checked: the parts of a run that would begin, and the images and copies that the checks look at.

Whatever a check does, it does to a copy: the parts themselves stay as they were built.
"""

import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from scipy.stats import entropy
from torch import Tensor, nn

from imagelab.checkpoints.content import CLASSES
from imagelab.classifier import Classifier
from imagelab.config.schema import Node
from imagelab.contracts import Inputs, Photos, Task
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address
from imagelab.data.image_data import ImageData
from imagelab.data.resize import resized
from imagelab.randomness import sample_keys, stream
from imagelab.training.penalties import LossTerms
from imagelab.transfer import TransferClassifier

MOST, LEAST = 64, 8  # images that a check looks at: as many as half a second allows
HALF_SECOND, QUICK = 0.5, 0.05
SIDE = 32  # pixels of what labels and leaks are looked for in
KEPT, DECODED = 2000, 300  # images of a split at most: from memory, from files
SHARES = ("drop_prob", "drop_rate", "dropout")  # what layers call the share that they leave out


@dataclass
class Subject:
    """A run that would begin.

    Args:
        cfg: Its config, for one device.
        data: Its images, made ready, with no worker processes.
        classifier: Its module, as training would begin with it.
        tricks: Its tricks, by name.
        seconds: What a check that trains may take, about; less is done where that is not enough.
    """

    cfg: Node
    data: ImageData
    classifier: Classifier
    tricks: dict[str, Any]
    seconds: float
    pictures: dict[str, Any] = field(default_factory=dict)  # what checks leave for the page

    @property
    def task(self) -> Task | None:
        """The task if it is to tell classes apart."""
        task = self.classifier.task
        return task if task.predicts == CLASSES else None

    @cached_property
    def seconds_per_image(self) -> float:
        """What a training step costs for each image, measured on a few."""
        copy = self.calm().train()
        first = self.some(4)
        self._step_seconds(copy, first)  # the first one of all is slower
        seconds = self._step_seconds(copy, first)
        batch = self.some(32) if seconds < QUICK else first
        return min(self._step_seconds(copy, batch) for _ in range(2)) / len(batch.labels)

    @cached_property
    def count(self) -> int:
        """Images that a check looks at."""
        return int(np.clip(HALF_SECOND / self.seconds_per_image, LEAST, MOST))

    @cached_property
    def unchanged(self) -> Inputs:
        """Training images as the network would see them, drawn at random, neither augmented nor mixed."""
        return self._drawn("train", MOST, np.arange(len(self.data.splits["train"])))

    def some(self, count: int) -> Inputs:
        """A few of the unchanged training images."""
        return cut(self.unchanged, count, self.data.views)

    @cached_property
    def unseen(self) -> Inputs:
        """The same of the images of val, as validation reads them."""
        return self._drawn("val", MOST, np.arange(len(self.data.splits["val"])))

    def training(self, count: int, epoch: int = 0) -> Inputs:
        """The first images of an epoch, as training sees them."""
        loader = self.data.train_loader(epoch=epoch, start=0, rank=0, ranks=1)
        addresses = []
        for address in loader.sampler:
            addresses.append(address)
            if sum(len(one.index) for one in addresses) >= count:
                break
        index = np.concatenate([address.index for address in addresses])[:count]
        keys = np.concatenate([address.keys for address in addresses])[:count]
        batch = loader.dataset[Address(epoch, 0, index, keys)]
        return self.data.prepare_batch(batch, train=True, rank=0)

    def read(self, split: str, index: np.ndarray) -> Inputs:
        """Images of a split by their places, as evaluation sees them."""
        keys = sample_keys(0, 0, torch.from_numpy(index)).numpy()
        if split == "train" and self.data.views == 1:
            dataset = self.data.dataset(split, augmented=False)
        else:
            dataset = self.data.eval_loader(split, rank=0, ranks=1).dataset
        return self.data.prepare_batch(dataset[Address(0, 0, index, keys)], train=False, rank=0)

    @cached_property
    def small(self) -> dict[str, tuple[Tensor, np.ndarray, np.ndarray]]:
        """Of a sample of each split: pixels (N, C, S, S) uint8, labels (N,), and places in the split (N,)."""
        return {name: self._small(images) for name, images in self.data.splits.items()}

    @cached_property
    def label_shares(self) -> np.ndarray:
        """The share of each class among what training draws, (K,)."""
        classes = len(self.data.classes)
        labels = self.data.splits["train"].labels
        counts = np.bincount(labels[(labels >= 0) & (labels < classes)], minlength=classes).astype(float)
        if self.data.balance:
            counts = (counts > 0).astype(float)
        return counts / counts.sum()

    @property
    def label_entropy(self) -> float:
        """The loss of who knows how frequent each class is, and nothing else, in nats."""
        return float(entropy(self.label_shares))

    def copy(self) -> Classifier:
        """A copy of the module with parameters, groups and draws of its own, in which all stages move."""
        copy = deepcopy(self.classifier)
        if isinstance(copy, TransferClassifier):
            copy.move_at_once()
        return copy

    def plain(self) -> Classifier:
        """The same in 32 bits on the CPU, as a check passes images through it by itself."""
        return self.copy().float().cpu()

    def calm(self) -> Classifier:
        """The same with nothing that prevents memorising: no dropout, no decay, no penalty."""
        copy = self.plain()
        copy.terms = LossTerms(penalties={}, window=copy.losses.recent.maxlen or 1)
        copy.rewires = []
        for group in copy.groups:
            group["weight_decay"] = 0.0
        for layer in copy.net.modules():
            _leave_nothing_out(layer)
        return copy

    def _step_seconds(self, copy: Classifier, batch: Inputs) -> float:
        began = time.perf_counter()
        copy.task.loss(copy, batch).backward()
        return time.perf_counter() - began

    def _drawn(self, split: str, count: int, places: np.ndarray) -> Inputs:
        chosen = stream(self.data.seed, "checks", len(split)).permutation(places)[:count]
        return self.read(split, chosen)

    def _small(self, images: Any) -> tuple[Tensor, np.ndarray, np.ndarray]:
        most = KEPT if isinstance(images, Arrays) else DECODED
        places = np.sort(stream(self.data.seed, "checks", 0).permutation(len(images))[:most])
        if isinstance(images, Arrays):
            return images.gather(places), images.labels[places], places
        assert isinstance(images, Photos)
        photos = [resized(images.photo(place, SIDE), SIDE, SIDE) for place in places.tolist()]
        return torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2), images.labels[places], places


def cut(batch: Inputs, count: int, views: int = 1) -> Inputs:
    """The first images of a batch, all views of each."""
    whole = len(batch.index) // views
    places = torch.cat([torch.arange(min(count, whole)) + view * whole for view in range(views)])
    return Inputs(*(part[places] for part in batch))


def parameters(net: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Names and parameters that are trained."""
    return ((name, one) for name, one in net.named_parameters() if one.requires_grad)


def _leave_nothing_out(layer: nn.Module) -> None:
    kind = type(layer).__name__
    for name in (*SHARES, *(["p"] if "Drop" in kind or "StochasticDepth" in kind else [])):
        if isinstance(getattr(layer, name, None), float):
            setattr(layer, name, 0.0)
    for hooks in (layer._forward_hooks, layer._forward_pre_hooks):
        for key, hook in hooks.items():
            if isinstance(hook, partial) and "rate" in hook.keywords:  # of model.dropout and its like
                hooks[key] = partial(hook.func, *hook.args, **hook.keywords | {"rate": 0.0})
