# room: detection
"""Define what all networks for detection have in common: images in, losses or detections out, as tensors."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from imagelab.box_labels import CLASS, COLUMNS, CORNERS, NO_BOX, there

MOST = 100  # detections per image, as COCO's metrics count them
Boxes = list[dict[str, Tensor]]  # per image: boxes (n, 4) of corners in pixels, labels (n,), perhaps scores


class Detector(nn.Module):
    """Maps images to detections, and in training to losses.

    Normalised images go in as they are: unlike torchvision's detectors, none resizes or normalises them.

    Args:
        pyramid: Images (B, C, H, W) -> feature maps by name, the finest first.
        finder: Torchvision's detector, whose parts are used; its own backbone is none.

    Attributes:
        outputs: Number of values per image: a row of `box_labels` for each of the most detections.
        trunk: The part that may have been trained as a classifier; all others are the head.
    """

    detects = True
    outputs = MOST * COLUMNS
    trunk = "pyramid.body"

    def __init__(self, *, pyramid: nn.Module, finder: nn.Module) -> None:
        super().__init__()
        self.pyramid = pyramid
        self.finder: Any = finder

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Tensor:
        """Normalised images (B, C, H, W) and their boxes -> losses or detections.

        Args:
            images: (B, C, H, W) float.
            targets: Labels (B, M, 6) with corners in pixels of these images; needed in training.

        Returns:
            In training: the terms of the loss, (L,). Else the detections, (B, 600): 100 rows per image; with
            targets (B, 601): the last value is the mean loss of the batch, the same in each row.
        """
        features = self.pyramid(images)
        if torch.compiler.is_exporting():
            return self.traced(images, features).flatten(1)
        where = ImageList(images, [(images.shape[-2], images.shape[-1])] * len(images))
        if self.training:
            if targets is None:
                raise ValueError("a detector in training mode needs targets besides the images")
            return torch.stack([*self.losses(where, features, as_boxes(targets)).values()])
        rows = as_rows(self.detections(where, features)).flatten(1)
        if targets is None:
            return rows
        devices = [images.device] if images.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):  # which anchors are compared is drawn
            torch.manual_seed(0)
            loss = torch.stack([*self.losses(where, features, as_boxes(targets)).values()]).sum()
        return torch.cat([rows, loss.to(rows.dtype).expand(len(rows), 1)], dim=1)

    @property
    def anchors(self) -> "Anchors | None":
        """The module that places anchors, to be matched with true boxes by overlap; None if there is none."""
        return None

    def losses(self, images: ImageList, features: dict[str, Tensor], boxes: Boxes) -> dict[str, Tensor]:
        """The terms of the loss by name, scalars."""
        raise NotImplementedError

    def detections(self, images: ImageList, features: dict[str, Tensor]) -> Boxes:
        """Boxes with labels and scores per image, highest score first."""
        raise NotImplementedError

    def traced(self, images: Tensor, features: dict[str, Tensor]) -> Tensor:
        """The rows of `detections`, (B, 100, 6), in a form that does not depend on the number of images.

        Raises:
            ValueError: The network has no such form.
        """
        raise ValueError(f"{type(self).__name__} loops over images and over the boxes that it finds in each")


class Anchors(AnchorGenerator):
    """Places anchors in float32 whatever the type of the maps: from 256 on, bfloat16 skips whole pixels."""

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """The corners of the anchors of each image, (n, 4) in pixels."""
        return super().forward(image_list, [one.float() for one in feature_maps])


def as_boxes(labels: Tensor) -> Boxes:
    """The boxes of each image, without rows that hold none or have no area."""
    sides = labels[..., 3:5] - labels[..., 1:3]
    kept = there(labels) & (sides > 0).all(dim=-1)
    return [
        {"boxes": rows[own][:, CORNERS].float(), "labels": rows[own][:, CLASS].long()}
        for rows, own in zip(labels, kept, strict=True)
    ]


def as_rows(found: Boxes) -> Tensor:
    """Detections per image -> rows (B, 100, 6), those without one at the end."""
    return torch.stack([_rows_of(one) for one in found])


def _rows_of(found: dict[str, Tensor]) -> Tensor:
    """The detections of one image as rows (100, 6)."""
    boxes, scores = found["boxes"].float(), found["scores"].float()
    rows = torch.cat([found["labels"].float()[:, None], boxes, scores[:, None]], dim=1)
    empty = rows.new_tensor([NO_BOX] + [0.0] * (COLUMNS - 1)).expand(MOST, COLUMNS)
    return torch.cat([rows, empty])[:MOST]


def squares(strides: Sequence[int], factors: Sequence[float]) -> tuple[tuple[float, ...], ...]:
    """The sides of the anchors of each level, as factors of its stride.

    >>> squares([8, 16], [4.0, 6.0])
    ((32.0, 48.0), (64.0, 96.0))
    """
    return tuple(tuple(stride * factor for factor in factors) for stride in strides)
