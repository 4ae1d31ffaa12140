"""Define what you implement to add a data set, an augmentation, a task or a trick.

Shapes: B images of a batch, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:  # torch takes 500 MB, and code that only reads files does not need it
    from torch import Tensor, nn


class Batch(NamedTuple):
    """What a loader delivers, before augmentation and normalisation on the device.

    images: (B, C, H, W) uint8. labels: (B,) int64. keys: (B,) int64, the random key of each sample in this
    epoch (see randomness.py). index: (B,) int64, the index of each sample in its split.
    epoch: Epoch that the draws belong to. step: Index of the batch in the epoch.
    """

    images: Tensor
    labels: Tensor
    keys: Tensor
    index: Tensor
    epoch: int
    step: int


class Inputs(NamedTuple):
    """What the classifier sees; with several views per image, the first views of all images come first.

    images: (B, C, H, W) float, normalised. targets: (B,) int64, or (B, K) float after mixing.
    labels: (B,) int64, never mixed. index: (B,) int64.
    """

    images: Tensor
    targets: Tensor
    labels: Tensor
    index: Tensor


@runtime_checkable
class Images(Protocol):
    """The labelled images of one split, held in memory or in files."""

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64."""
        ...

    def __len__(self) -> int: ...

    def select(self, index: np.ndarray) -> Images:
        """The images at these indices, in this order."""
        ...

    def relabel(self, labels: np.ndarray) -> Images:
        """The same images with other labels, (N,) int64."""
        ...


@runtime_checkable
class Photos(Images, Protocol):
    """Labelled images of any size, decoded one by one."""

    def photo(self, place: int, least: int | None) -> np.ndarray:
        """The image at this index, (H, W, 3) uint8, upright.

        Args:
            place: Index of the image.
            least: Smallest short side that is sufficient, in pixels; None: full size.
        """
        ...


class Source(Protocol):
    """A data set: `classes` in the order of the labels, and its splits.

    `splits` has "train" and, if the data set provides them, "val" and "test".
    """

    classes: list[str]
    splits: Mapping[str, Images]


class Task(Protocol):
    """What is learnt from the images; it defines targets and loss, and what outputs mean.

    `forward` maps images to outputs, with the requested weights. Nothing else interprets targets or outputs:
    a softmax, an argmax or a one-hot code belongs in a task, a loss or a metric.

    predicts: Kind of its network's predictions: "classes", or a word of your own such as "values",
    and the task is a `Predicting` one; empty: nothing, its network is a start for others.

    labelled: Whether it takes labels. views: How often a batch shows each image, with different augmentation.
    kept: Number of values that `outputs` keeps per image (for example the number of classes).
    """

    predicts: str
    labelled: bool
    views: int
    kept: int

    def head(self, features: int) -> nn.Module | None:
        """A layer that takes this many features and replaces the network's last one; None keeps that one."""
        ...

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        """Targets of the loss, (B, ...), from labels (B,) int64; float if they are to be mixed."""
        ...

    def loss(self, forward: Callable[[Tensor], Tensor], batch: Inputs) -> Tensor:
        """The loss of a training batch, a scalar; all draws are torch's."""
        ...

    def correct(self, outputs: Tensor, batch: Inputs) -> Tensor | None:
        """Which images of a training batch are classified correctly, (B,) bool; None: the task has no labels.

        outputs: Outputs of `forward` for the batch, from the call in `loss`.
        """
        ...

    def outputs(self, forward: Callable[[Tensor], Tensor], batch: Inputs) -> tuple[Tensor, Tensor]:
        """What metrics need of a batch of val or test: (B, kept) float and (B,) int64; the same each time."""
        ...

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Metrics by name, from the outputs kept for a whole split; one of them is `loss`."""
        ...


@runtime_checkable
class Predicting(Protocol):
    """What a task also has if its network predicts something.

    names: Names of the K numbers of a prediction, such as the classes.
    """

    names: list[str]

    def predictions(self, outputs: Tensor) -> Tensor:
        """Outputs (..., K) -> probabilities or values, (..., K) float32: what is shown and averaged."""
        ...

    def as_outputs(self, predictions: Tensor) -> Tensor:
        """Outputs that stand for predictions (..., K), such as means: what `metrics` takes."""
        ...

    def decisions(self, predictions: Tensor) -> Tensor:
        """Predictions (..., K) -> the predicted classes, (...) int64, or the values themselves."""
        ...

    def wording(self, decision: float) -> str:
        """A label or a decision in words, such as the name of the class."""
        ...


@runtime_checkable
class Augment(Protocol):
    """An augmentation of single images: of whole batches on the device, of single photos in workers."""

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> (B, C, H', W') uint8; all draws come from `randomness.uniform(keys, ...)`."""
        ...

    def transform(self, size: int) -> object:
        """The transform of a single photo; `size`: side of the network's input.

        A transform of albumentations, or a function of a (C, H, W) uint8 tensor that draws from torch.
        """
        ...


@runtime_checkable
class Zoom(Protocol):
    """An augmentation of single images that needs photos larger than the network's input."""

    def least(self, size: int) -> int:
        """The smallest short side of photos, in pixels; `size`: side of the network's input."""
        ...


@runtime_checkable
class Mix(Protocol):
    """An augmentation that blends the images of a batch, and their labels, on the device.

    mixes_labels: True, so that the config check knows it, too.
    """

    mixes_labels: bool

    def mix(self, images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float, targets (B, K) float -> the same shapes; all draws come from `rng`."""
        ...


@runtime_checkable
class Penalty(Protocol):
    """A trick that adds a term to the loss; the term is logged as train/<name of the trick>.

    strength: Factor of the term; change it if the term outweighs the rest of the loss, or hardly matters.
    """

    strength: float

    def penalty(self, net: nn.Module) -> Tensor:
        """The term, a scalar, for the parameters that are currently trained."""
        ...


@runtime_checkable
class Rewire(Protocol):
    """A trick that lets the network train with other weights than those it keeps."""

    def rewired(self, net: nn.Module) -> dict[str, Tensor]:
        """Parameters by name, in place of the network's own for one training step; all draws are torch's."""
        ...


@runtime_checkable
class GrowsBatches(Protocol):
    """A trick that changes how many batches form a step; it sets `trainer.accumulate_grad_batches` itself.

    grows_batches: True, so that the config check knows it, too.
    """

    grows_batches: bool

    def windows(self, window: int, epochs: int) -> list[int]:
        """Batches per step in each epoch of a run that begins with `window` of them."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A trick that changes the network before the first step; `imagelab check` calls it as the run does."""

    def prepare(self, module: Any, data: Any) -> None:
        """Change the network of a `Classifier` that will be trained on the images of an `ImageData`."""
        ...
