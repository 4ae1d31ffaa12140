"""Check the network's input: its scale, train against val, and the order of channels and pixels."""

import math

import numpy as np
import torch
from torch import Tensor

from imagelab.checks.findings import NAMED, fact, found
from imagelab.checks.subject import MOST, Subject
from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.finding import Finding, grade
from imagelab.problem import some_of

# Pixels in [0, 1] normalised by ImageNet's constants have means in [-2.2, 2.7] and deviations up to 2.3.
FAR_MEAN, FAR_STD, NO_STD = 2.8, 2.5, 0.02
MEAN, LOW_STD, HIGH_STD = 1.0, 0.3, 2.0
VALUES, CHUNK = 2e8, 512  # most values in memory to look through; images at a time
SHIFT, RATIO, FAR_SHIFT, FAR_RATIO = 0.5, 0.4, 1.2, 0.9  # train against val, in deviations and in logs
ORDERLY, NOISE, UNEVEN = 0.6, 0.1, 0.35  # correlation of neighbours; rows against columns
CLOSER = 0.03  # extra correlation of every third value if colours are interleaved
SIDE_TO_SIDE = 16  # pixels: in smaller images, neighbours say little
APART = 6.0  # standard errors between the colours of train and val


def statistics(subject: Subject) -> Finding:
    """The input has a mean near 0 and a deviation near 1."""
    if broken := non_finite(subject):
        why = "these images reach the network with NaN or infinite values"
        fix = "look at them and at what normalises them: a division by 0, a logarithm of 0?"
        return found(
            "FAIL", some_of(broken, NAMED), expected="finite values in every image", why=why, fix=fix
        )
    images = subject.training(MOST).images
    mean, std = float(images.mean()), float(images.std())
    blank = not (images.isfinite().all() and std > NO_STD)
    far = blank or abs(mean) > FAR_MEAN or std > FAR_STD
    near = abs(mean) <= MEAN and LOW_STD <= std <= HIGH_STD
    why = "normalised as expected" if near else "unusual scale: right only if pretrained weights expect it"
    if far:
        why = "not normalised, normalised twice, or blank: training is slow or fails"
    return found(
        grade(fail=far, warn=not near),
        f"mean {mean:.3g}, deviation {std:.3g}",
        expected=f"mean within {MEAN:g} of 0, deviation {LOW_STD:g} to {HIGH_STD:g}; "
        f"FAIL beyond {FAR_MEAN:g} or outside {NO_STD:g} to {FAR_STD:g}",
        why=why,
        fix="" if near else "normalise once: (pixels / 255 - mean) / std of the training images",
    )


def non_finite(subject: Subject) -> list[str]:
    """The images of train and val with a non-finite value, by name; of photos, those of a sample."""
    names = []
    for split, sample in (("train", subject.unchanged), ("val", subject.unseen)):
        images = subject.data.splits[split]
        index = sample.index.numpy()
        if isinstance(images, Arrays) and images.images.numel() <= VALUES:
            index = np.arange(len(images))
        for part in np.array_split(index, -(-len(index) // CHUNK)):
            read = subject.read(split, part)
            bad = ~read.images.flatten(1).isfinite().all(dim=1)
            names += [_name(images, split, place) for place in read.index[bad].unique().tolist()]
    return names


def _name(images: object, split: str, place: int) -> str:
    return str(images.paths[place]) if isinstance(images, Files) else f"image {place} of {split}"


def shift(subject: Subject) -> Finding:
    """Train and val have the same scale."""
    train, val = subject.training(MOST).images, subject.unseen.images
    away = float((train.mean() - val.mean()).abs() / train.std().clamp(min=NO_STD))
    ratio = abs(math.log(max(float(val.std()), NO_STD) / max(float(train.std()), NO_STD)))
    error = sum(float(images.mean(dim=(1, 2, 3)).var()) / len(images) for images in (train, val)) ** 0.5
    sure = away * float(train.std()) > APART * error
    far = (away > FAR_SHIFT and sure) or ratio > FAR_RATIO
    near = away < SHIFT and ratio < RATIO
    return found(
        grade(fail=far, warn=not near),
        f"means {away:.2f} deviations apart, deviations {math.exp(ratio):.2f} to 1",
        expected=f"< {SHIFT:g} apart, < {math.exp(RATIO):.2f} to 1; "
        f"FAIL beyond {FAR_SHIFT:g} or {math.exp(FAR_RATIO):.2f} to 1",
        why="train and val have the same scale"
        if near
        else "train and val differ in scale: the network is validated on inputs unlike those it trains on",
        fix="" if near else "normalise val like train; look at augmentations that change brightness",
    )


def channels(subject: Subject) -> Finding:
    """The colour channels of train and val are in the same order."""
    if subject.data.in_channels != 3 or subject.small["train"][0].shape[1] != 3:
        return fact(None, "the images have one channel")
    held = [subject.small[split][0].float() / 255 for split in ("train", "val")]
    read = [_colour(batch.images, subject) for batch in (subject.unchanged, subject.unseen)]
    pairs = [(_apart(one, other), _apart(one, other.flip(1))) for one, other in (held, read)]
    right, swapped = max(pairs, key=lambda pair: pair[0] - 2 * pair[1])
    bad = right > APART and swapped < right / 2
    return found(
        "FAIL" if bad else "OK",
        round(right, 2),
        expected=f"red - blue at most {APART:g} standard errors apart, or not closer when swapped",
        why=f"with red and blue of val swapped, it would be {swapped:.1f}: the channel order differs"
        if bad
        else "the colours of train and val are similar",
        fix="decode both splits with the same function: cv2 returns blue, green, red" if bad else "",
    )


def neighbours(subject: Subject) -> Finding:
    """Neighbouring pixels are similar, along rows and along columns."""
    images = subject.unchanged.images
    across, down = correlation(images, -1), correlation(images, -2)
    low, high = min(across, down), max(across, down)
    value = f"{across:.2f} along rows, {down:.2f} along columns"
    expected = f">= {ORDERLY:g} both ways; FAIL below {NOISE:g}, or more than {UNEVEN:g} apart"
    if min(images.shape[-2:]) < SIDE_TO_SIDE and low > NOISE:
        return found("OK", value, expected=f"> {NOISE:g} in images this small", why="pixels are in order")
    interleaved = images.shape[1] == 3 and correlation(images, -1, 3) > across + CLOSER and across != high
    bad = low < NOISE or (high - low > UNEVEN and low < ORDERLY) or interleaved
    return found(
        grade(fail=bad, warn=not low >= ORDERLY),
        value,
        expected=expected,
        why="pixels are in order" if low >= ORDERLY else "pixels are out of order, or images are noise",
        fix=""
        if low >= ORDERLY
        else "reorder axes with permute, never with view or reshape; look at the inputs",
    )


def correlation(images: Tensor, axis: int, step: int = 1) -> float:
    """Correlation of each pixel with the one `step` further along an axis of images (B, C, H, W).

    The mean of each image and channel is subtracted: all pixels share it, whatever their order.
    """
    images = images - images.mean(dim=(2, 3), keepdim=True)
    size = images.shape[axis] - step
    one = images.narrow(axis, 0, size).flatten()
    other = images.narrow(axis, step, size).flatten()
    return float(torch.corrcoef(torch.stack([one, other]))[0, 1].nan_to_num())


def _colour(images: Tensor, subject: Subject) -> Tensor:
    return subject.data.preprocess.denormalise(images).float() / 255


def _apart(one: Tensor, other: Tensor) -> float:
    differences = [(images[:, 0] - images[:, 2]).mean(dim=(1, 2)) for images in (one, other)]
    error = math.sqrt(sum(float(d.var()) / len(d) for d in differences)) or 1e-9
    return abs(float(differences[0].mean() - differences[1].mean())) / error
