"""Hold the parts of the run to check, and hand out sample images and copies of the network.

Checks work on copies: the parts themselves stay as they were built.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from scipy.stats import entropy
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from imagelab.classifier import Classifier
from imagelab.config.facts import said_by
from imagelab.config.schema import Node
from imagelab.contracts import Inputs, Photos
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address
from imagelab.data.image_data import ImageData
from imagelab.data.resize import resized
from imagelab.metrics.table import CLASSES
from imagelab.randomness import sample_keys, stream
from imagelab.task.contract import Task
from imagelab.training.penalties import LossTerms
from imagelab.transfer import TransferClassifier

MOST, LEAST = 64, 8  # images per check, as many as half a second allows
SECOND = 1e10  # multiply-adds counted as a second: what one core does, within a factor of four either way
SIDE = 32  # pixels: side of the images that labels and leaks are checked on
KEPT, DECODED = 2000, 300  # images per split at most: from memory, from files
SHARES = ("drop_prob", "drop_rate", "dropout")  # attributes of layers that hold a dropout rate


@dataclass
class Subject:
    """The run to check, just before its first step.

    Args:
        cfg: Config of the run, for one device.
        data: Images of the run, set up, without worker processes.
        classifier: Module as training would start with it.
        tricks: Tricks of the run, by name.
        seconds: Budget of each check that trains, in units of `SECOND`: counted, so the same on any machine.
    """

    cfg: Node
    data: ImageData
    classifier: Classifier
    tricks: dict[str, Any]
    seconds: float
    pictures: dict[str, Any] = field(default_factory=dict)  # results of checks, to show or to reuse

    @property
    def task(self) -> Task | None:
        """The task if it predicts classes, else None."""
        task = self.classifier.task
        return task if task.predicts == CLASSES else None

    @cached_property
    def seconds_per_image(self) -> float:
        """The work per image of a training step, in units of `SECOND`: three forward passes."""
        batch = self.some(2)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self._pass(batch)
        multiply_adds = counter.get_total_flops() / 2
        return 3 * max(1.0, multiply_adds) / len(batch.labels) / SECOND

    def _pass(self, batch: Inputs) -> None:
        module = self.calm()
        if said_by(self.classifier.task).generates:  # room: generators
            module.eval()(batch.images, labels=batch.labels)
            return
        if self.data.boxes:  # room: detection
            module.train().task.loss(module, batch)  # a detector judges fewer boxes in training
            return
        module.eval()(batch.images)

    def afford(self, images: int) -> int:
        """The number of steps of so many images that a check may train."""
        return int(self.seconds / (self.seconds_per_image * images))

    @cached_property
    def count(self) -> int:
        """The number of images that a check looks at."""
        return int(np.clip(0.5 / self.seconds_per_image, LEAST, MOST))

    @cached_property
    def unchanged(self) -> Inputs:
        """A random sample of training images as the network sees them, neither augmented nor mixed."""
        return self._drawn("train", MOST, np.arange(len(self.data.splits["train"])))

    def some(self, count: int) -> Inputs:
        """The first `count` of the unchanged training images."""
        return cut(self.unchanged, count, self.data.views)

    @cached_property
    def unseen(self) -> Inputs:
        """A random sample of the images of val, as validation reads them."""
        return self._drawn("val", MOST, np.arange(len(self.data.splits["val"])))

    def training(self, count: int, epoch: int = 0) -> Inputs:
        """The first `count` images of an epoch, as training sees them."""
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
        """The images of a split at the given indices, as evaluation sees them."""
        if split == "train" and self.data.views == 1:
            return self.data.prepare_batch(self.data.plain(split, index), train=False, rank=0)
        dataset = self.data.eval_loader(split, rank=0, ranks=1).dataset
        keys = sample_keys(0, 0, torch.from_numpy(index)).numpy()
        return self.data.prepare_batch(dataset[Address(0, 0, index, keys)], train=False, rank=0)

    @cached_property
    def small(self) -> dict[str, tuple[Tensor, np.ndarray, np.ndarray]]:
        """By split, a sample: pixels (N, C, S, S) uint8, labels (N,), and indices in the split (N,)."""
        return {name: self._small(images) for name, images in self.data.splits.items()}

    @cached_property
    def label_shares(self) -> np.ndarray:
        """The share of each class among the images that training draws, (K,)."""
        classes = len(self.data.classes)
        labels = self.data.splits["train"].labels
        counts = np.bincount(labels[(labels >= 0) & (labels < classes)], minlength=classes).astype(float)
        if self.data.balance:
            counts = (counts > 0).astype(float)
        return counts / counts.sum()

    @property
    def label_entropy(self) -> float:
        """The loss of predicting the class frequencies for every image, in nats."""
        return float(entropy(self.label_shares))

    def copy(self) -> Classifier:
        """An independent copy of the module in which all stages train from the start."""
        copy = deepcopy(self.classifier)
        if isinstance(copy, TransferClassifier):
            copy.move_at_once()
        return copy

    def plain(self) -> Classifier:
        """A copy in 32 bits on the CPU, for checks that call the network directly."""
        return self.copy().float().cpu()

    def calm(self) -> Classifier:
        """A plain copy without regularisation: no dropout, no weight decay, no penalty."""
        copy = self.plain()
        copy.terms = LossTerms(penalties={}, window=copy.losses.recent.maxlen or 1)
        copy.rewires = []
        for group in copy.groups:
            group["weight_decay"] = 0.0
        for layer in copy.net.modules():
            _leave_nothing_out(layer)
        return copy

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
    """The first `count` images of a batch, with all views of each."""
    whole = len(batch.index) // views
    places = torch.cat([torch.arange(min(count, whole)) + view * whole for view in range(views)])
    return Inputs(*(part[places] for part in batch))


def parameters(net: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The trainable parameters, with their names."""
    return ((name, one) for name, one in net.named_parameters() if one.requires_grad)


def share_names(layer: nn.Module) -> list[str]:
    """The names of the attributes in which a layer may hold the share of values that it leaves out."""
    kind = type(layer).__name__
    return [*SHARES, *(["p"] if "Drop" in kind or "StochasticDepth" in kind else [])]


def _leave_nothing_out(layer: nn.Module) -> None:
    for name in share_names(layer):
        if isinstance(getattr(layer, name, None), float):
            setattr(layer, name, 0.0)
    for hooks in (layer._forward_hooks, layer._forward_pre_hooks):
        for key, hook in hooks.items():
            if isinstance(hook, partial) and "rate" in hook.keywords:  # of model.dropout and similar options
                hooks[key] = partial(hook.func, *hook.args, **hook.keywords | {"rate": 0.0})
