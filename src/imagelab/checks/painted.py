# room: detection
"""Does each augmentation alone keep boxes around what was in them? Boxes are painted, and their paint found.

On the images themselves, one augmentation hides what another does wrong, and weak objects hide both.
"""

import numpy as np
import torch
from torch import Tensor

from imagelab.augment.boxes import augment_boxes, box_steps
from imagelab.augment.follows import MixesBoxes
from imagelab.box_labels import CORNERS, NO_BOX, padded, there
from imagelab.data.image_data import ImageData
from imagelab.randomness import sample_keys, stream

DRAWS, MIXED = 96, 8  # images that are changed one by one; images of a batch, and batches, that are mixed
SIDE = 96  # pixels at most
SHORTEST, LONGEST = 0.25, 0.45  # sides of the painted boxes, as shares of the image
PAINT = 255
HALF, FAINT = 0.5, 0.25  # share of the brightest change that is paint; of `PAINT` below which it hardly shows
INSIDE, FILLED = 0.9, 0.2  # least shares: of the paint that is in boxes, and of a box that is paint
CUT = 0.5  # the first of these in mixed images, which may show another part of the object without a box
RESTS = 0.35  # share of the painted area that may be left without a box


def strays(data: ImageData) -> dict[str, float]:
    """By the name of each augmentation, the share of images in which paint and boxes are apart."""
    shares = {}
    for one, step in zip(data.single, box_steps(data.single), strict=True):
        images, labels = painted(data, DRAWS)
        keys = sample_keys(data.seed, 0, torch.arange(DRAWS))
        blank, _ = augment_boxes(torch.zeros_like(images), labels, keys, [step])
        shares[type(one).__name__] = apart(*augment_boxes(images, labels, keys, [step]), blank, images)
    for one in data.mixing:
        if isinstance(one, MixesBoxes):
            shares[type(one).__name__] = float(np.mean([_mixed(one, data, n) for n in range(MIXED)]))
    return shares


def painted(data: ImageData, count: int) -> tuple[Tensor, Tensor]:
    """Black images (N, C, S, S) uint8 with one white box each, at any place, and their labels (N, 1, 6)."""
    side = min(data.size, SIDE)
    rng = stream(data.seed, "painted")
    sides = (side * rng.uniform(SHORTEST, LONGEST, (count, 2))).round()
    first = (rng.random((count, 2)) * (side - sides)).round()
    rows = np.concatenate([np.zeros((count, 1)), first, first + sides], axis=1)
    images = torch.zeros(count, data.in_channels, side, side, dtype=torch.uint8)
    for image, (left, top, right, bottom) in zip(images, rows[:, 1:].astype(int).tolist(), strict=True):
        image[:, top:bottom, left:right] = PAINT
    return images, torch.from_numpy(padded([row[None] for row in rows]))


def apart(images: Tensor, labels: Tensor, blank: Tensor, before: Tensor, *, inside: float = INSIDE) -> float:
    """The share of images whose paint is not in their boxes, or the other way round, of those that show any.

    Args:
        images: Changed images, (N, C, H, W).
        labels: Their boxes, (N, M, 6).
        blank: Images without paint, changed in the same way.
        before: The painted images before they were changed.
        inside: Least share of the paint that is in boxes.
    """
    change = (images.float() - blank.float()).abs().amax(dim=1)
    brightest = change.amax(dim=(1, 2), keepdim=True)
    paint = (change > HALF * brightest) & (brightest > FAINT * PAINT)
    enough = (RESTS * (before.amax(dim=1) > 0).sum(dim=(1, 2))).expand(len(images))
    judged = [
        _is_apart(own, rows[there(rows)][:, CORNERS], inside)
        for own, rows, least in zip(paint, labels, enough, strict=True)
        if there(rows).any() or own.sum() > least
    ]
    return float(np.mean(judged)) if judged else 0.0


def _is_apart(paint: Tensor, boxes: Tensor, inside: float) -> bool:
    """Whether paint (H, W) is outside of boxes (n, 4), or one of these is hardly painted."""
    covered = torch.zeros_like(paint)
    for left, top, right, bottom in boxes.round().int().tolist():
        box = slice(max(0, top), bottom), slice(max(0, left), right)
        if not float(paint[box].float().mean()) >= FILLED:
            return True
        covered[box] = True
    return not float((paint & covered).sum()) >= inside * float(paint.sum())


def _mixed(one: MixesBoxes, data: ImageData, draw: int) -> float:
    """The share of a batch in which the paint of its first image, which alone has a box, leaves its box."""
    images, labels = painted(data, MIXED)
    images, labels = images.roll(draw, 0), labels.roll(draw, 0)
    images[1:], labels[1:, :, 0] = 0, NO_BOX
    blank, _ = one.mix_boxes(torch.zeros_like(images).float(), labels, stream(data.seed, "painted", draw))
    after = one.mix_boxes(images.float(), labels, stream(data.seed, "painted", draw))
    return apart(*after, blank, images[:1], inside=CUT)
