"""Turn the address of a batch into pixels: gathered at once from memory, or decoded one by one from files."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from imagelab.augment.apply import BatchStep, PhotoAugment, augment_batch, batch_steps
from imagelab.contracts import Batch, Images, Photos
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address
from imagelab.data.preprocess import Preprocess


class ArrayBatches(Dataset[Batch]):
    """Whole batches of images in memory.

    Args:
        steps: Augmentations to apply here, on the CPU; empty if the device applies them.
        preprocess: What hides parts of the images before they are augmented; anything else hides nothing.
    """

    def __init__(self, images: Arrays, *, steps: Sequence[BatchStep], preprocess: object = None) -> None:
        self.images, self.steps, self.preprocess = images, steps, preprocess

    def __getitem__(self, address: Address) -> Batch:
        pixels = self.images.gather(address.index)
        pixels = self.preprocess.hide(pixels) if isinstance(self.preprocess, Preprocess) else pixels
        pixels = augment_batch(pixels, torch.from_numpy(address.keys), self.steps)
        return _batch(pixels, self.images, address)


class PhotoBatches(Dataset[Batch]):
    """Batches of photos, each decoded no larger than needed and augmented.

    Args:
        augment: Augmentation of one photo. If it does not bring all photos to one shape by itself, it gets
            their centre squares. None: centre squares without augmentation.
    """

    def __init__(self, photos: Photos, *, preprocess: Preprocess, augment: PhotoAugment | None) -> None:
        self.photos = photos
        self.preprocess = preprocess
        self.augment = augment
        self.least = max(preprocess.resize, 0 if augment is None else augment.least)
        centre = (preprocess.size, preprocess.size, 3)
        shape = None if augment is None else augment.output_shape(preprocess.size)
        self.centred = shape is None
        self.shape = shape or (centre if augment is None else augment(np.zeros(centre, np.uint8), 0).shape)

    def __getitem__(self, address: Address) -> Batch:
        pixels = np.empty((len(address.index), *self.shape), np.uint8)
        for place, (index, key) in enumerate(zip(address.index.tolist(), address.keys.tolist(), strict=True)):
            pixels[place] = self.pixels(index, key)
        return _batch(torch.from_numpy(pixels).permute(0, 3, 1, 2), self.photos, address)

    def pixels(self, index: int, key: int) -> np.ndarray:
        """One photo, (H, W, 3) uint8, with the same H and W for all."""
        least = self.least if self.augment is None else self.augment.needed(self.least, key)
        photo = self.preprocess.hide_photo(self.photos.photo(index, least))
        if self.centred:
            photo = self.preprocess.centre(photo)
        return photo if self.augment is None else self.augment(photo, key)


def batches_of(images: Images, augment: Sequence[object], preprocess: Preprocess) -> Dataset[Batch]:
    """The batches of a split by address.

    Args:
        images: Images of the split.
        augment: Augmentations to apply here, on the CPU; empty if the device applies them, or none.
        preprocess: Preprocessing of the run.
    """
    if isinstance(images, Arrays):
        return ArrayBatches(images, steps=batch_steps(augment), preprocess=preprocess)
    assert isinstance(images, Photos)
    changes = PhotoAugment(augment, size=preprocess.size) if augment else None
    return PhotoBatches(images, preprocess=preprocess, augment=changes)


def _batch(pixels: Tensor, images: Images, address: Address) -> Batch:
    return Batch(
        images=pixels,
        labels=torch.from_numpy(images.labels[address.index]),
        keys=torch.from_numpy(address.keys),
        index=torch.from_numpy(address.index),
        epoch=address.epoch,
        step=address.step,
    )
