"""Cut the views of test-time augmentation: from images in memory on the device, from photos in workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from imagelab.contracts import Images, Photos
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address
from imagelab.data.preprocess import Preprocess
from imagelab.data.reader import Reader
from imagelab.data.resize import letterboxed, resized
from imagelab.evaluation.tta import View


@dataclass(frozen=True, kw_only=True)
class Form:
    """The form in which a network takes its images.

    Args:
        preprocess: Preprocessing before the network.
        reader: Converts an image of any size to the form that the network was trained on.
        views: Views of each image, grouped by scale.
    """

    preprocess: Preprocess
    reader: Reader
    views: list[View]

    @property
    def least(self) -> int:
        """The smallest sufficient short side of a photo, in pixels."""
        if self.reader.shape is not None:
            return self.reader.least
        spare = max(1, self.reader.least // self.preprocess.resize)
        return spare * max(view.short for view in self.views)

    def cut(self, photo: np.ndarray) -> list[np.ndarray]:
        """(H, W, 3) uint8 -> for each side of the views, (V, side, side, 3) uint8.

        For a network trained on images in memory: the single image (H, W, 3) as stored there.
        """
        if self.reader.shape is not None:
            return [self.reader.image(photo, self.preprocess)]
        fit = letterboxed if self.preprocess.whole else _whole
        wholes = {short: fit(photo, short) for short in {view.short for view in self.views}}
        runs = groupby(self.views, key=lambda view: view.side)
        return [np.stack([_square(wholes[view.short], view) for view in run]) for _, run in runs]

    def shown(self, given: Sequence[Tensor], room: int) -> Iterator[tuple[Tensor, int]]:
        """Yield the input of the network, (V * B, C, side, side) float, view by view, for V views at a time.

        Args:
            given: Crops from photos, (B, V, side, side, 3) uint8 each; or images, (B, C, H, W) uint8.
            room: Approximate number of crops at a time.
        """
        yield from self._of_images(given[0], room) if given[0].ndim == 4 else self._of_squares(given, room)

    def _of_squares(self, given: Sequence[Tensor], room: int) -> Iterator[tuple[Tensor, int]]:
        for squares in given:
            for some in squares.transpose(0, 1).split(max(1, room // len(squares))):
                flat = some.flatten(0, 1).permute(0, 3, 1, 2)
                yield self.preprocess.normalise(self.preprocess.scaled(flat, flat.shape[-1])), len(some)

    def _of_images(self, images: Tensor, room: int) -> Iterator[tuple[Tensor, int]]:
        most = max(1, room // len(images))
        for (short, _), run in groupby(self.views, key=lambda view: (view.short, view.side)):
            fit = self.preprocess.fitted if self.preprocess.whole else self.preprocess.scaled
            whole = fit(images, short)
            views = list(run)
            for first in range(0, len(views), most):
                some = views[first : first + most]
                yield self.preprocess.normalise(torch.cat([_part(whole, view) for view in some])), len(some)


class Given(NamedTuple):
    """A batch for several networks.

    index: (B,) int64, indices in the split. forms: Input of the networks, for each form.
    """

    index: Tensor
    forms: list[list[Tensor]]


class FormBatches(Dataset[Given]):
    """Batches in several forms; a photo is decoded once for all of them.

    Args:
        images: Images of a split.
        forms: Forms of the images, one per group of networks.
    """

    def __init__(self, images: Images, *, forms: Sequence[Form]) -> None:
        self.images, self.forms = images, forms
        self.least = max(form.least for form in forms)

    def __getitem__(self, address: Address) -> Given:
        index = torch.from_numpy(address.index)
        if isinstance(self.images, Arrays):
            return Given(index, [[self.images.gather(address.index)]] * len(self.forms))
        assert isinstance(self.images, Photos)
        found: list[list[list[np.ndarray]]] = [[] for _ in self.forms]
        for place in address.index.tolist():
            photo = self.images.photo(place, self.least)
            for mine, form in zip(found, self.forms, strict=True):
                mine.append(form.cut(photo))
        return Given(index, [tensors(mine) for mine in found])


def tensors(photos: list[list[np.ndarray]]) -> list[Tensor]:
    """Crops of B photos -> (B, V, side, side, 3) uint8 each, or whole images -> one (B, 3, H, W)."""
    stacked = [torch.from_numpy(np.stack(parts)) for parts in zip(*photos, strict=True)]
    return [part.permute(0, 3, 1, 2) if part.ndim == 4 else part for part in stacked]


def _whole(photo: np.ndarray, short: int) -> np.ndarray:
    scale = short / min(photo.shape[:2])
    height, width = (max(short, round(side * scale)) for side in photo.shape[:2])
    return resized(photo, height, width)


def _square(whole: np.ndarray, view: View) -> np.ndarray:
    pixels = whole[:, ::-1] if view.mirrored else whole
    top, left = view.box(*whole.shape[:2])
    return pixels[top : top + view.side, left : left + view.side]


def _part(whole: Tensor, view: View) -> Tensor:
    pixels = whole.flip(-1) if view.mirrored else whole
    top, left = view.box(*whole.shape[-2:])
    return pixels[..., top : top + view.side, left : left + view.side]
