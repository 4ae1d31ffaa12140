"""Does train contain images of val that were slightly changed: re-encoded, mirrored or cropped?

Each image of val is compared with all training images, whole and cropped, and so is its mirror image. A copy
is far closer to one training image than to the second closest.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imagelab.checks.findings import found
from imagelab.checks.leak import PAIRS
from imagelab.checks.subject import Subject
from imagelab.data.arrays import Arrays
from imagelab.finding import Finding, grade
from imagelab.randomness import stream

SIDE = 8  # pixels of a thumbnail
ALIKE, CROPPED_ALIKE = 0.25, 0.5  # distance to the nearest training image, relative to the second
MANY, SOME = 0.1, 0.01  # share of a split with a near copy in train
VAL, TRAIN, CROPPED = 400, 50_000, 5_000  # most images of val, of train, and of train to crop
CROPS = [(side, left, top) for side in (0.9, 0.8, 0.7) for left in (0.0, 0.5, 1.0) for top in (0.0, 0.5, 1.0)]


def near_copies(subject: Subject) -> Finding:
    """No image of val is in train with slightly different pixels, mirrored or cropped."""
    val = _sample(subject, "val", VAL)
    train = _sample(subject, "train", TRAIN)
    alike = _ratios(val, [train]) < ALIKE
    kinds = {"nearly the same": alike}
    kinds["mirrored"] = ~alike & (_ratios(val.flip(-1), [train]) < ALIKE)
    kinds["cropped"] = ~alike & ~kinds["mirrored"]
    crops = [train[:CROPPED], *_crops(train[:CROPPED])]
    kinds["cropped"] &= torch.minimum(_ratios(val, crops), _ratios(val.flip(-1), crops)) < CROPPED_ALIKE
    counts = {kind: int(which.sum()) for kind, which in kinds.items()}
    share = sum(counts.values()) / max(1, len(val))
    words = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "none"
    return found(
        grade(fail=share > MANY, warn=share > SOME),
        f"{share:.1%} of {len(val):,} images of val, compared with {len(train):,} of train: {words}",
        expected=f"<= {SOME:.0%} far closer to one training image than to the next; FAIL above {MANY:.0%}",
        why="hardly any image of val is nearly the same as one of train"
        if share <= SOME
        else "images of val look copied from train",
        fix=PAIRS if share > SOME else "",
    )


def _ratios(images: Tensor, versions: list[Tensor]) -> Tensor:
    """The distance of each image to the nearest training image over that to the second nearest, (N,).

    Args:
        images: Images of val, (N, C, H, W).
        versions: The same training images in several versions, each (M, C, h, w).
    """
    here = _thumbnails(images)
    away = torch.full((len(images), len(versions[0])), torch.inf)
    for version in versions:
        away = torch.minimum(away, torch.cdist(here, _thumbnails(version)))
    near = away.topk(min(2, away.shape[1]), largest=False).values
    return near[:, 0] / near[:, -1].clamp(min=1e-6) if away.shape[1] > 1 else torch.ones(len(images))


def _crops(images: Tensor) -> Iterator[Tensor]:
    height, width = images.shape[-2:]
    for side, left, top in CROPS:
        tall = max(1, round(side * height))
        wide = max(1, round(side * width))
        row = round(top * (height - tall))
        column = round(left * (width - wide))
        yield images[..., row : row + tall, column : column + wide]


def _sample(subject: Subject, split: str, most: int) -> Tensor:
    """Images of a split, (N, C, H, W) uint8: as many as there are in memory, of photos those read already."""
    images = subject.data.splits[split]
    if not isinstance(images, Arrays):
        return subject.small[split][0][:most]
    places = np.sort(stream(subject.data.seed, "copies").permutation(len(images))[:most])
    return images.gather(places)


def _thumbnails(pixels: Tensor) -> Tensor:
    grey = pixels.float().mean(dim=1, keepdim=True)
    small = functional.interpolate(grey, size=SIDE, mode="area") if grey.shape[-1] >= SIDE else grey
    small = functional.interpolate(small, size=SIDE, mode="bilinear").flatten(1)
    return functional.normalize(small - small.mean(dim=1, keepdim=True), dim=1)
