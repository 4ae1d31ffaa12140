"""Run a list of augmentations: on whole batches, or in workers on one photo after another."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagelab.augment.follows import MixesBoxes  # room: detection
from imagelab.contracts import (
    Augment,
    Least,
    Mix,
    PhotoChange,
    Window,
    Zoom,
)
from imagelab.problem import Problem
from imagelab.randomness import sample_keys

BatchStep = Callable[[Tensor, Tensor], Tensor]


def is_library(augmentation: object) -> bool:
    """Whether this is a transform of albumentations or torchvision, which takes one image at a time."""
    return not isinstance(augmentation, (Augment, Mix))


def batch_steps(augment: Sequence[object]) -> list[BatchStep]:
    """The batch function of each augmentation of single images, in order: (B, C, H, W) uint8, keys (B,)."""
    single = [one for one in augment if not isinstance(one, Mix)]
    steps = [one.batch if isinstance(one, Augment) else _OneByOne(one) for one in single]
    return [partial(_at, place, step) if place else step for place, step in enumerate(steps)]


def augment_batch(images: Tensor, keys: Tensor, steps: Sequence[BatchStep]) -> Tensor:
    """Apply the steps in order: (B, C, H, W) uint8 -> (B, C, H', W') uint8."""
    for step in steps:
        images = step(images, keys)
    return images


def mix_batch(
    images: Tensor, targets: Tensor, mixing: Sequence[Mix], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Mix normalised images (B, C, H, W) and targets (B, K), or boxes, by one augmentation that is drawn."""
    one = mixing[int(rng.integers(len(mixing)))] if len(mixing) > 1 else mixing[0]
    if targets.ndim == 3 and isinstance(one, MixesBoxes):  # room: detection
        return one.mix_boxes(images, targets, rng)
    return one.mix(images, targets, rng)


def least_side(augment: Sequence[object], size: int) -> int:
    """The short side in pixels that photos need for a network input of `size`; 0: any."""
    return max((one.least(size) for one in augment if isinstance(one, Zoom)), default=0)


class PhotoAugment:
    """The augmentations of single images, applied in order to one (H, W, C) uint8 photo.

    Every random draw is a function of the photo's key. By default, albumentations repeats its draws in every
    worker and every epoch.

    Args:
        augment: Augmentations of this package and of libraries; mixing ones are ignored.
        size: Side of the network's input, in pixels.
    """

    def __init__(self, augment: Sequence[object], *, size: int) -> None:
        single = [_transform(one, size) for one in augment if not isinstance(one, Mix)]
        self.least = least_side(augment, size)
        self.runs: list[Callable[[np.ndarray, int], np.ndarray]] = []
        for kind, together in groupby(single, _kind):
            run = list(together)
            self.runs += [_Albumentations(run)] if kind is _Albumentations else [kind(one) for one in run]

    def __call__(self, photo: np.ndarray, key: int) -> np.ndarray:
        """(H, W, C) uint8 -> (H', W', C) uint8."""
        for number, run in enumerate(self.runs):
            photo = run(photo, _seed(key, number))
        return photo

    def needed(self, least: int, key: int) -> Least:
        """The short side of a photo in pixels, at least `least`, that leaves what this key cuts out sharp."""
        windows = [(run, _seed(key, n)) for n, run in enumerate(self.runs) if isinstance(run, _Window)]
        if not windows:
            return least
        return lambda height, width: max(
            least, *(run.window.short_side(height, width, seed) for run, seed in windows)
        )

    def output_shape(self, size: int) -> tuple[int, ...] | None:
        """The (H, W, C) that photos of all shapes are brought to, or None if it depends on the photo.

        Args:
            size: Side of the network's input in pixels; the photos tried are somewhat larger.

        Raises:
            Problem: An augmentation cannot be applied to photos.
        """
        tried = [(2 * size, 3 * size, 3), (3 * size, size, 3)]
        try:
            shapes = {self(np.zeros(shape, np.uint8), key).shape for shape in tried for key in range(8)}
        except Problem:
            raise
        except Exception as error:  # libraries have errors of their own
            raise Problem(
                f"augment: cannot be applied to a photo of {tried[0][1]} x {tried[0][0]}: {error}"
            ) from error
        return shapes.pop() if len(shapes) == 1 else None


class _Albumentations:
    def __init__(self, transforms: list[Any]) -> None:
        import albumentations

        self.compose = albumentations.Compose(transforms)

    def __call__(self, photo: np.ndarray, seed: int) -> np.ndarray:
        self.compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        return _checked(self.compose(image=photo)["image"], self.compose)


class _Window:
    def __init__(self, window: Window) -> None:
        self.window = window

    def __call__(self, photo: np.ndarray, seed: int) -> np.ndarray:
        return self.window.cut(photo, seed)


class _Change:
    def __init__(self, change: PhotoChange) -> None:
        import cv2

        cv2.setNumThreads(0)  # forked workers hang in threads of their parent
        self.change = change

    def __call__(self, photo: np.ndarray, seed: int) -> np.ndarray:
        return self.change.change_photo(photo, seed)


class _OnTensors:
    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __call__(self, photo: np.ndarray, seed: int) -> np.ndarray:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            changed = self.transform(torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1))
        return _checked(np.asarray(changed.permute(1, 2, 0)), self.transform)


class _OneByOne:
    def __init__(self, transform: object) -> None:
        self.apply = PhotoAugment([transform], size=0)  # transforms of libraries ignore the size

    def __call__(self, images: Tensor, keys: Tensor) -> Tensor:
        photos = images.permute(0, 2, 3, 1).contiguous().numpy()
        changed = [self.apply(photo, key) for photo, key in zip(photos, keys.tolist(), strict=True)]
        return torch.from_numpy(np.stack(changed)).permute(0, 3, 1, 2)


def _transform(augmentation: object, size: int) -> object:
    return augmentation.transform(size) if isinstance(augmentation, Augment) else augmentation


def _kind(transform: object) -> Callable[[Any], Callable[[np.ndarray, int], np.ndarray]]:
    if isinstance(transform, Window):
        return _Window
    if isinstance(transform, PhotoChange):
        return _Change
    library = any(kind.__module__.split(".")[0] == "albumentations" for kind in type(transform).__mro__)
    return _Albumentations if library else _OnTensors


def keys_at(place: int, keys: Tensor) -> Tensor:
    """The keys (B,) of the augmentation at this place of a list: one listed twice draws differently."""
    return keys + sample_keys(place, 0, torch.zeros_like(keys)) if place else keys


def _at(place: int, step: BatchStep, images: Tensor, keys: Tensor) -> Tensor:
    return step(images, keys_at(place, keys))


def _seed(key: int, number: int) -> int:
    return (key + number * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF


def _checked(image: np.ndarray, transform: object) -> np.ndarray:
    if image.dtype != np.uint8:
        raise Problem(
            f"augment: {type(transform).__name__} must return uint8 pixels, got {image.dtype}; remove "
            "transforms that convert or normalise, the device does both"
        )
    return image
