# room: detection
"""Turn the candidates of a batch into detections without loops over images, which exporters cannot trace."""

import torch
from torch import Tensor
from torchvision.ops import nms

from imagelab.box_labels import COLUMNS, NO_BOX

OUTSIDE = [[-4.0, -4.0, -3.0, -3.0], [-2.0, -2.0, -1.0, -1.0]]  # a traced `nms` wants to keep two or more


def best_rows(
    scores: Tensor,
    labels: Tensor,
    boxes: Tensor,
    *,
    size: tuple[int, int],
    least: float,
    overlap: float,
    most: int,
) -> Tensor:
    """The surest detections of each image, (B, most, 6), rows as in `box_labels`.

    Args:
        scores: Scores of the candidates, (B, n).
        labels: Their classes, (B, n) int64.
        boxes: Their corners inside the image, (B, n, 4) in pixels.
        size: Height and width of the images in pixels.
        least: Scores up to this one are no detections.
        overlap: Largest IoU of two detections of one class.
        most: Number of rows per image.
    """
    kept = not_suppressed(scores, apart(labels, boxes, size), least, overlap)
    ranked = torch.where(kept, scores, torch.full_like(scores, -1.0))
    count = scores.shape[1]
    best, places = ranked.topk(min(most, count), dim=1)
    corners = boxes.gather(1, places[..., None].expand(-1, -1, 4))
    rows = torch.cat([labels.gather(1, places)[..., None].to(boxes.dtype), corners, best[..., None]], dim=-1)
    empty = rows.new_tensor([NO_BOX] + [0.0] * (COLUMNS - 1))
    rows = torch.where((best >= 0)[..., None], rows, empty)
    return torch.cat([rows, empty.expand(len(rows), most - count, COLUMNS)], dim=1) if most > count else rows


def apart(labels: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (B * n, 4), moved so that those of different images or classes never overlap.

    Classes lie side by side and images below each other: with one direction for both, the numbers would grow
    so large that float32 rounds the corners.
    """
    height, width = size
    images = torch.arange(labels.shape[0], device=labels.device)[:, None].expand_as(labels)
    offset = torch.stack([labels * (width + 1), images * (height + 1)], dim=-1).to(boxes.dtype)
    return (boxes + torch.cat([offset, offset], dim=-1)).reshape(-1, 4)


def not_suppressed(scores: Tensor, boxes: Tensor, least: float, overlap: float) -> Tensor:
    """Which candidates are detections, (B, n) bool."""
    added = boxes.new_tensor(OUTSIDE)
    boxes = torch.cat([boxes, added])
    flat = torch.cat([scores.reshape(-1), scores.new_ones(len(added))])
    sure = (flat > least).nonzero()[:, 0]
    kept = sure[nms(boxes[sure], flat[sure], overlap)]
    return torch.zeros_like(flat).index_fill(0, kept, 1.0)[: -len(added)].reshape(scores.shape) > 0
