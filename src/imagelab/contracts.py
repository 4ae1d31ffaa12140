"""Define what you implement to add a data set, an augmentation or a trick; `task/contract.py`: a task.

Besides its methods, a class may state facts about itself, such as `mixes_labels = True`: the rules read them
from its source before anything is imported. `config/facts.py` lists all facts.

Shapes: B images of a batch, C channels, H x W pixels, K classes, V values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:  # torch takes 500 MB, and code that only reads files does not need it
    from torch import Tensor, nn

Least = int | Callable[[int, int], int] | None
"""The smallest short side of a photo that is sufficient, in pixels, or a function of its height and width.
None: full size."""


class Batch(NamedTuple):
    """What a loader delivers, before augmentation and normalisation on the device.

    images: (B, C, H, W) uint8. labels: (B,) int64, or as in `Images`. keys: (B,) int64, the random key of
    each sample in this epoch (see randomness.py). index: (B,) int64, the index of each sample in its split.
    epoch: Epoch that the draws belong to. step: Index of the batch in the epoch.
    signals: (B, S) float, what the network sees besides the images, near 0; None: nothing.
    """

    images: Tensor
    labels: Tensor
    keys: Tensor
    index: Tensor
    epoch: int
    step: int
    signals: Tensor | None = None


class Inputs(NamedTuple):
    """What the classifier sees; with several views per image, the first views of all images come first.

    images: (B, C, H, W) float, normalised; signals are constant planes behind the channels. targets: What the
    task makes of the labels, as (B,) int64, or (B, K) float after mixing. labels: Not mixed. index: (B,).
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
        """A class per image, (N,) int64; several, (N, K) bool; values, (N, V) float; boxes, `box_labels`."""
        ...

    def __len__(self) -> int: ...

    def select(self, index: np.ndarray) -> Images:
        """The images at these indices, in this order."""
        ...

    def relabel(self, labels: np.ndarray) -> Images:
        """The same images with other labels of the same kind."""
        ...


@runtime_checkable
class Photos(Images, Protocol):
    """Labelled images of any size, decoded one by one."""

    def photo(self, place: int, least: Least) -> np.ndarray:
        """The image at this index, (H, W, 3) uint8, upright.

        Args:
            place: Index of the image.
            least: Smallest short side that is sufficient.
        """
        ...


class Source(Protocol):
    """A data set: `classes` in the order of the labels, and its splits.

    If an image has several classes or values, `classes` names the K or V columns of its labels.
    `splits` has "train" and, if the data set provides them, "val" and "test".
    """

    classes: list[str]
    splits: Mapping[str, Images]


@runtime_checkable
class Augment(Protocol):
    """An augmentation of single images: of whole batches on the device, of single photos in workers."""

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> (B, C, H', W') uint8; all draws come from `randomness.uniform(keys, ...)`."""
        ...

    def transform(self, size: int) -> object:
        """The transform of a single photo; `size`: side of the network's input.

        A `Window`, a `PhotoChange`, a transform of albumentations, or a function of a (C, H, W) uint8 tensor
        that draws from torch.
        """
        ...


@runtime_checkable
class Zoom(Protocol):
    """An augmentation of single images that needs photos larger than the network's input."""

    def least(self, size: int) -> int:
        """The smallest short side of photos, in pixels; `size`: side of the network's input."""
        ...


@runtime_checkable
class Window(Protocol):
    """A transform of single photos that enlarges a part: how large they are decoded depends on that part."""

    def short_side(self, height: int, width: int, seed: int) -> int:
        """The smallest short side of a photo, in pixels, that leaves the part drawn by `seed` sharp."""
        ...

    def cut(self, photo: np.ndarray, seed: int) -> np.ndarray:
        """(H, W, C) uint8 -> (H', W', C) uint8, from the same draw at whatever size the photo was decoded."""
        ...


@runtime_checkable
class PhotoChange(Protocol):
    """A transform of single photos that needs no library of transforms."""

    def change_photo(self, photo: np.ndarray, seed: int) -> np.ndarray:
        """(H, W, C) uint8 -> (H', W', C) uint8; all draws come from the seed."""
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
class CriticPenalty(Protocol):  # room: generators
    """A trick that adds a term to the loss of a discriminator; the term is logged as train/<its name>.

    strength: Factor of the term. every: Steps between two terms, each of which then counts as many times.
    """

    strength: float
    every: int

    def critic_penalty(self, judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
        """The term, a scalar; all draws are torch's.

        judge: Images (B, C, H, W) -> scores (B,). real, fake: Real and generated images of the same classes.
        """
        ...


@runtime_checkable
class Rewire(Protocol):
    """A trick that lets the network train with other weights than those it keeps.

    rewires: True, so that the config check knows it, too.
    """

    rewires: bool

    def rewired(self, net: nn.Module) -> dict[str, Tensor]:
        """Parameters by name, in place of the network's own for one training step; all draws are torch's."""
        ...


# What a trick can be, besides a Lightning callback.
TRICKS: tuple[type, ...] = (
    Penalty,
    CriticPenalty,  # room: generators
    Rewire,
)


@runtime_checkable
class MovesGradients(Protocol):
    """A trick that takes the gradients of a batch at other weights than its loss.

    moves_gradients: True, so that the config check knows it, too.
    """

    moves_gradients: bool

    def around(self, inner: Any) -> Any:
        """What computes the loss of a batch in place of `inner`, a `training.split_batch.SplitBatch`."""
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
    """A trick that changes the network before the first step, wherever one is taken."""

    def prepare(self, module: Any, data: Any) -> None:
        """Change the network of a `Classifier` that will be trained on the images of an `ImageData`."""
        ...
