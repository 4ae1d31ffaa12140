# room: detection
"""Move boxes with the pixels of augmented images; cut them off at the border, drop those with little left."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from imagelab.augment.apply import batch_steps, keys_at
from imagelab.augment.follows import CutsBoxes, FollowsBoxes
from imagelab.box_labels import CLASS, CORNERS, LEAST, NO_BOX, there
from imagelab.contracts import Batch
from imagelab.problem import Problem

VISIBLE = 0.25  # share of a box that must still be seen: less says little of an object
BoxStep = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def box_steps(augment: Sequence[object]) -> list[BoxStep]:
    """The function of each augmentation of single images, in order: images, labels (B, M, 6), keys (B,).

    Raises:
        Problem: One of them cannot move boxes.
    """
    steps: list[BoxStep] = []
    for place, (step, one) in enumerate(zip(batch_steps(augment), augment, strict=True)):
        if isinstance(one, CutsBoxes):
            steps.append(partial(_cut, one, place))
        elif isinstance(one, FollowsBoxes):
            steps.append(partial(_step, step, one, place))
        else:
            raise Problem(f"augment: {type(one).__name__} cannot move boxes; leave it out")
    return steps


def augment_boxes(
    images: Tensor, labels: Tensor, keys: Tensor, steps: Sequence[BoxStep]
) -> tuple[Tensor, Tensor]:
    """Apply the steps in order to images (B, C, H, W) uint8 and their labels (B, M, 6)."""
    for step in steps:
        images, labels = step(images, labels, keys)
    return images, labels


def augment_with_boxes(batch: Batch, steps: Sequence[BoxStep]) -> Batch:
    """Apply the steps in order to a batch of images with boxes."""
    images, labels = augment_boxes(batch.images, batch.labels, batch.keys, steps)
    return batch._replace(images=images, labels=labels)


def placed(labels: Tensor, corners: Tensor, height: int, width: int) -> Tensor:
    """Labels (B, M, 6) with boxes at these corners (B, M, 4), without those of which too little is inside."""
    limits = corners.new_tensor([width, height, width, height])
    inside = torch.minimum(corners.clamp(min=0), limits)
    sides = inside[..., 2:] - inside[..., :2]
    whole = (corners[..., 2:] - corners[..., :2]).prod(dim=-1)
    kept = there(labels) & (sides >= LEAST).all(dim=-1) & (sides.prod(dim=-1) >= VISIBLE * whole)
    return chosen(torch.cat([labels[..., :1], inside, labels[..., 5:]], dim=-1), kept)


def chosen(labels: Tensor, kept: Tensor) -> Tensor:
    """Labels (B, M, 6) with rows that are not kept, (B, M) bool, emptied."""
    rows = labels.clone()
    rows[..., CLASS] = torch.where(kept, rows[..., CLASS], NO_BOX)
    rows[..., CORNERS] = rows[..., CORNERS] * kept[..., None]
    return rows


def uncovered(corners: Tensor, hole: Tensor) -> Tensor:
    """Corners (B, M, 4) without an area where a hole (B, 1, 4) leaves too little of a box."""
    first, last = (
        torch.maximum(corners[..., :2], hole[..., :2]),
        torch.minimum(corners[..., 2:], hole[..., 2:]),
    )
    hidden = (last - first).clamp(min=0).prod(dim=-1)
    whole = (corners[..., 2:] - corners[..., :2]).prod(dim=-1)
    return corners * (whole - hidden >= VISIBLE * whole)[..., None]


def _step(
    step: Callable[[Tensor, Tensor], Tensor],
    one: FollowsBoxes,
    place: int,
    images: Tensor,
    labels: Tensor,
    keys: Tensor,
) -> tuple[Tensor, Tensor]:
    corners = one.move(labels[..., CORNERS], keys_at(place, keys), images.shape[-2], images.shape[-1])
    changed = step(images, keys)
    return changed, placed(labels, corners, changed.shape[-2], changed.shape[-1])


def _cut(one: CutsBoxes, place: int, images: Tensor, labels: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    return one.cut_boxes(images, labels, keys_at(place, keys))
