# room: checks
"""Mistakes in images, labels, splits and augmentation, to plant into the data of a run."""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from imagelab.checks.subject import Subject
from imagelab.data.arrays import Arrays
from imagelab.data.image_data import ImageData
from tests.zoo_bugs import Bug, arrays, data_becomes, put, relabel

Change = Callable[[Tensor], Tensor]


def changed(split: str, change: Change) -> Callable[[Subject], None]:
    """All images of a split are changed."""

    def plant(subject: Subject) -> None:
        images = arrays(subject, split)
        put(subject, split, Arrays(change(images.images).contiguous(), images.labels))

    return plant


def copied(change: Change) -> Callable[[Subject], None]:
    """Half of val are training images, changed."""

    def plant(subject: Subject) -> None:
        train, val = arrays(subject, "train"), arrays(subject, "val")
        half = len(val) // 2
        pixels = torch.cat([val.images[half:], change(train.images[:half])])
        put(subject, "val", Arrays(pixels, np.concatenate([val.labels[half:], train.labels[:half]])))

    return plant


def cropped(pixels: Tensor) -> Tensor:
    side = pixels.shape[-1]
    part = pixels[..., : side - side // 8, side // 8 :].float()
    return functional.interpolate(part, size=side, mode="bilinear").round().to(torch.uint8)


def recoded(pixels: Tensor) -> Tensor:
    """Images as JPEG of medium quality."""
    made = []
    for image in pixels:
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).squeeze(-1).numpy()).save(file, "JPEG", quality=60)
        read = np.asarray(Image.open(file))
        made.append(torch.from_numpy(read.copy()).reshape(*image.shape[1:], -1).permute(2, 0, 1))
    return torch.stack(made)


def brightened(pixels: Tensor) -> Tensor:
    return (0.8 * pixels.float() + 30).clamp(0, 255).to(torch.uint8)


def swapped(labels: np.ndarray) -> np.ndarray:
    return np.where(labels == 0, 1, np.where(labels == 1, 0, labels))


def three_moved(labels: np.ndarray) -> np.ndarray:
    return np.where(labels < 3, (labels + 1) % 3, labels)


def marked(mark: Callable[[Tensor, int], None], classes: tuple[int, ...] = ()) -> Callable[[Subject], None]:
    """Images of all classes, or of some, carry a mark that tells their class, in every split."""

    def plant(subject: Subject) -> None:
        for split in subject.data.splits:
            images = arrays(subject, split)
            pixels = images.images.clone()
            for image, label in zip(pixels, images.labels.tolist(), strict=True):
                if not classes or label in classes:
                    mark(image, label)
            put(subject, split, Arrays(pixels, images.labels))

    return plant


def dot(image: Tensor, label: int) -> None:
    image[:, 1, 1] = 25 * label


def white_dot(image: Tensor, label: int) -> None:
    image[:, -1, 0] = 255


def frame(image: Tensor, label: int) -> None:
    for side in (0, -1):
        image[:, side] = 25 * label
        image[:, :, side] = 25 * label


def tint(image: Tensor, label: int) -> None:
    image.copy_((image.float() / 8 + 22 * label).clamp(0, 255).to(torch.uint8))


class Broken(ImageData):
    """One image in a hundred holds a value that is no number."""

    value = torch.nan

    def prepare_batch(self, batch, *, train, rank):
        made = super().prepare_batch(batch, train=train, rank=rank)
        made.images[batch.index % 100 == 7, :, 0, 0] = self.value
        return made


class Infinite(Broken):
    value = torch.inf


class Zeros(ImageData):
    """A cast to whole numbers before the normalisation."""

    def prepare_batch(self, batch, *, train, rank):
        made = super().prepare_batch(batch, train=train, rank=rank)
        return made._replace(images=made.images * 0)


class HardBlends(ImageData):
    """Images are blended, labels are not."""

    def blend(self, images):
        return 0.6 * images + 0.4 * images.roll(1, 0)

    def prepare_batch(self, batch, *, train, rank):
        made = super().prepare_batch(batch, train=train, rank=rank)
        return made._replace(images=self.blend(made.images)) if train else made


class HardPatches(HardBlends):
    def blend(self, images):
        images = images.clone()
        half = images.shape[-1] // 2
        images[..., :half] = images.roll(1, 0)[..., :half]
        return images


class OnePlace(ImageData):
    """Epochs always begin anew: the order is that of the first."""

    def train_batches(self, *, epoch, **where):
        return super().train_batches(epoch=0, **where)


class Unseeded(ImageData):
    """The order of images is drawn from the clock, so to say."""

    def train_batches(self, **where):
        self.seed = int(np.random.default_rng().integers(1 << 30))
        return super().train_batches(**where)


class Twice(ImageData):
    """Val is padded to whole batches with its first images."""

    def eval_loader(self, split, *, rank, ranks):
        loader = super().eval_loader(split, rank=rank, ranks=ranks)
        mine = loader.sampler.mine
        loader.sampler.mine = np.concatenate([mine, mine[:13]])
        return loader


def augmented_by(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Subject], None]:
    def plant(subject: Subject) -> None:
        subject.data.on_device = [change]

    return plant


def noise(images: Tensor, keys: Tensor) -> Tensor:
    rng = torch.Generator().manual_seed(int(keys.sum()) % (1 << 30))
    return torch.randint(0, 256, images.shape, generator=rng, dtype=torch.uint8)


def turned(images: Tensor, keys: Tensor) -> Tensor:
    return images.rot90(2, (-2, -1))


def magnified(images: Tensor, keys: Tensor) -> Tensor:
    part = images[..., :1, :1]
    return part.expand_as(images).contiguous()


def same_noise(images: Tensor, keys: Tensor) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    noise = torch.randint(-20, 21, images.shape[1:], generator=rng)
    return (images.int() + noise).clamp(0, 255).to(torch.uint8)


def mostly_one(subject: Subject) -> None:
    """19 of 20 images are of the first class, in every split."""
    for split, images in subject.data.splits.items():
        first = images.labels == 0
        keep = np.flatnonzero(first)
        others = np.flatnonzero(~first)
        few = others[:: max(1, 19 * len(others) // max(1, len(keep)))]
        put(subject, split, images.select(np.sort(np.concatenate([keep, few]))))  # type: ignore[arg-type]


def strided(y: np.ndarray) -> np.ndarray:
    return y[(np.arange(len(y)) * 101) % len(y)]


AUGMENTED = ("augment=[flip]",)
LABELS, COPIES, WAY = "labels of val", "near copies across splits", "orientation of val"
DATA: dict[str, Bug] = {
    "mirrored training images in val": Bug(COPIES, copied(lambda pixels: pixels.flip(-1))),
    "cropped training images in val": Bug(COPIES, copied(cropped)),
    "training images as JPEG in val": Bug(COPIES, copied(recoded)),
    "brightened training images in val": Bug(COPIES, copied(brightened)),
    "two classes of train change places": Bug(LABELS, lambda s: relabel(s, "train", swapped)),
    "two classes of test change places": Bug(LABELS, lambda s: relabel(s, "test", swapped)),
    "three classes of val change places": Bug(LABELS, lambda s: relabel(s, "val", three_moved)),
    "labels of train in another order": Bug(
        "labels follow the images", lambda s: relabel(s, "train", strided)
    ),
    "val transposed": Bug(WAY, changed("val", lambda pixels: pixels.transpose(-1, -2))),
    "train transposed": Bug(WAY, changed("train", lambda pixels: pixels.transpose(-1, -2))),
    "val upside down": Bug(WAY, changed("val", lambda pixels: pixels.flip(-2))),
    "train turned by 90 degrees": Bug(WAY, changed("train", lambda pixels: pixels.rot90(1, (-2, -1)))),
    "a pixel tells the class": Bug("shortcuts", marked(dot)),
    "a white pixel in two classes": Bug("shortcuts", marked(white_dot, (0,))),
    "a border tells the class": Bug("shortcuts", marked(frame)),
    "the brightness tells the class": Bug("shortcuts", marked(tint), warns=True),
    "NaN in some images": Bug("inputs", lambda s: data_becomes(s, Broken)),
    "infinity in some images": Bug("inputs", lambda s: data_becomes(s, Infinite)),
    "images cast to zeros": Bug("inputs", lambda s: data_becomes(s, Zeros)),
    "19 of 20 images are of one class": Bug("majority class", mostly_one, warns=True),
    "one class in val": Bug(
        "classes and labels",
        lambda s: put(
            s, "val", s.data.splits["val"].select(np.flatnonzero(s.data.splits["val"].labels == 0))
        ),  # type: ignore[arg-type]
        warns=True,
    ),
    "augmentation of mere noise": Bug("labels of augmented images", augmented_by(noise), AUGMENTED),
    "digits turned round": Bug("classes of augmented images", augmented_by(turned), AUGMENTED, digits=True),
    "augmentation that shows one pixel": Bug("augmentation", augmented_by(magnified), AUGMENTED),
    "augmentation the same in each epoch": Bug(
        "augmentation", augmented_by(same_noise), AUGMENTED, warns=True
    ),
    "images blended, labels not": Bug("mixed labels", lambda s: data_becomes(s, HardBlends)),
    "images pasted, labels not": Bug("mixed labels", lambda s: data_becomes(s, HardPatches)),
    "the same order in each epoch": Bug("mixed batches", lambda s: data_becomes(s, OnePlace)),
    "order without a seed": Bug("one seed", lambda s: data_becomes(s, Unseeded)),
    "some of val read twice": Bug("whole split", lambda s: data_becomes(s, Twice)),
    "val in negative": Bug(WAY, changed("val", lambda pixels: 255 - pixels)),
}
