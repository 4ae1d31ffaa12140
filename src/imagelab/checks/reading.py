"""Are images read correctly: val the same each time, train shuffled, augmented images recognisable?"""

import math
from dataclasses import replace

import numpy as np
import torch
from scipy.stats import entropy
from torch import Tensor

from imagelab.checks.findings import NO_CLASSES, fact, found
from imagelab.checks.subject import MOST, Subject
from imagelab.contracts import Inputs
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address
from imagelab.finding import Finding, grade

LOOKED_AT = 16  # images to read twice
BATCHES = 8  # batches whose labels are looked at
MIXED, SORTED, ERRORS = 0.8, 0.5, 4.0  # shares of the label entropy of a random batch; standard errors
BLANK, FLAT = 0.2, 0.05  # share of images; share of the contrast of unchanged images


def val_images(subject: Subject) -> Finding:
    """An image of val is the same each time it is read, not augmented, and has its own label."""
    index = np.sort(np.random.default_rng(0).permutation(len(subject.data.splits["val"]))[:LOOKED_AT])
    first = subject.read("val", index)
    second = subject.read("val", index)
    differs = float((first.images - second.images).abs().max())
    expected = "the same twice, with the pixels and labels of the split"
    fix = "augment training images only; look at the data set's __getitem__"
    if differs:
        why = "val is augmented or read at random: its metrics change for no reason"
        return found("FAIL", f"differs by {differs:.3g}", expected=expected, why=why, fix=fix)
    if subject.task and not np.array_equal(first.labels.numpy(), subject.data.splits["val"].labels[index]):
        why = "images of val come with the labels of other images"
        return found(
            "FAIL", "wrong labels", expected=expected, why=why, fix="keep images and labels in the same order"
        )
    away = _from_source(subject, first, index)
    if away is not None and away > 0.5:
        why = "validation does not see the normalised images of the split: they are augmented, or others"
        return found("FAIL", f"differs by {away:.3g} deviations", expected=expected, why=why, fix=fix)
    return found("OK", "the same", expected=expected, why=f"{len(index)} images of val were read twice")


def whole_split(subject: Subject) -> Finding:
    """Evaluation reads every image of its split exactly once."""
    loader = subject.data.eval_loader("val", rank=0, ranks=1)
    seen = np.concatenate([address.index for address in loader.sampler])
    count = len(subject.data.splits["val"])
    once = len(seen) == count and len(np.unique(seen)) == count
    return found(
        "OK" if once else "FAIL",
        f"{len(seen):,} read, {len(np.unique(seen)):,} of {count:,} different images",
        expected="each image of val once",
        why="metrics cover the whole split" if once else "metrics miss images or count some twice",
        fix="" if once else "neither drop nor pad partial batches in evaluation",
    )


def mixed_batches(subject: Subject) -> Finding:
    """Training batches mix all classes, in a new order each epoch."""
    labels = subject.data.splits["train"].labels
    batches, again = (_batches(subject, epoch) for epoch in (0, 1))
    if len(batches[0]) >= 4 and len(labels) > len(batches[0]) and np.array_equal(batches[0], again[0]):
        return found(
            "FAIL",
            "the same in each epoch",
            expected="a new order in each epoch",
            why="every epoch begins with the same batch: images are not shuffled",
            fix="reshuffle training images in each epoch",
        )
    if subject.task is None:
        return fact("a new order in each epoch", NO_CLASSES)
    shares = subject.label_shares
    rng = np.random.default_rng(0)
    usual = [_entropy(rng.choice(len(shares), len(one), p=shares)) for one in batches for _ in range(8)]
    wanted = np.mean(usual)
    error = np.std(usual) / math.sqrt(len(batches))
    seen = np.mean([_entropy(labels[one]) for one in batches])
    share = float(seen / wanted) if wanted > 0.05 else 1.0
    good = share >= MIXED or wanted - seen < ERRORS * error
    return found(
        grade(fail=share < SORTED, warn=not good),
        round(share, 3),
        expected=f">= {MIXED:g} of the label entropy of random batches; FAIL below {SORTED:g}",
        why="batches mix the classes like the whole split" if good else "each batch holds few classes",
        fix="" if good else "shuffle training images; files in folders are sorted by class",
    )


def augmentation(subject: Subject) -> Finding:
    """Augmented images are not blank, and differ between epochs."""
    before = _contrast(subject.unchanged.images).median()
    blank = float((_contrast(subject.training(MOST).images) < FLAT * before).float().mean())
    expected = f"at most {BLANK:.0%} blank images, different ones in each epoch"
    names = ", ".join(subject.cfg["augment"]) or "none"
    if blank > BLANK:
        return found(
            "FAIL",
            f"{blank:.0%} blank",
            expected=expected,
            why=f"augment={names} leaves nothing of these images",
            fix="look at the picture of the inputs, and weaken the augmentation that destroys them",
        )
    if not subject.cfg["augment"]:
        return fact("none", "training images are not augmented")
    index = np.arange(LOOKED_AT)
    keys = np.arange(2 * LOOKED_AT)
    one, other = (_with_keys(subject, index, part) for part in np.split(keys, 2))
    same = bool(torch.equal(one.images, other.images)) and not subject.data.mixing
    return found(
        "WARN" if same else "OK",
        names,
        expected=expected,
        why="each epoch sees the same pixels" if same else "each epoch sees an image augmented differently",
        fix="make random draws depend on the keys of the images" if same else "",
    )


def _contrast(images: Tensor) -> Tensor:
    """Contrast of each image, (B,): the standard deviation within a channel, averaged over channels."""
    return images.flatten(2).std(dim=2).mean(dim=1)


def _with_keys(subject: Subject, index: np.ndarray, keys: np.ndarray) -> Inputs:
    dataset = subject.data.train_loader(epoch=0, start=0, rank=0, ranks=1).dataset
    return subject.data.prepare_batch(dataset[Address(0, 0, index, keys)], train=True, rank=0)


def _from_source(subject: Subject, read: Inputs, index: np.ndarray) -> float | None:
    images = subject.data.splits["val"]
    if subject.data.views > 1 or not isinstance(images, Arrays):
        return None
    own: Tensor = replace(subject.data.preprocess, signals=[])(images.gather(index))
    seen = read.images[:, : subject.data.in_channels]
    if own.shape != seen.shape:
        return None
    return float((own - seen).abs().mean() / own.std().clamp(min=1e-6))


def _batches(subject: Subject, epoch: int) -> list[np.ndarray]:
    loader = subject.data.train_loader(epoch=epoch, start=0, rank=0, ranks=1)
    return [address.index for address, _ in zip(loader.sampler, range(BATCHES), strict=False)]


def _entropy(labels: np.ndarray) -> float:
    return float(entropy(np.unique(labels, return_counts=True)[1]))
