# room: detection
"""Run both stages of torchvision's Faster R-CNN without loops over images, which exporters cannot trace.

Their number of proposals per image is fixed; those that the loops would drop get no score.
"""

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import clip_boxes_to_image, roi_align

from imagelab.model.batched_rows import apart, best_rows, not_suppressed
from imagelab.model.detector import MOST

LEAST_SIDE = 1e-2  # pixels: smaller detections are dropped, as torchvision does


def proposed(
    stage: Any, images: Tensor, features: dict[str, Tensor], size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The boxes that the first stage proposes, (B, P, 4), and which of them there are, (B, P) bool.

    Args:
        stage: Torchvision's RegionProposalNetwork, in evaluation.
        images: (B, C, H, W).
        features: Maps by name.
        size: Height and width of the images in pixels.
    """
    maps = [*features.values()]
    read = stage.head(maps)
    anchors = stage.anchor_generator(ImageList(images, [size]), maps)[0]
    counts = [one.shape[1] * one.shape[2] * one.shape[3] for one in read[0]]
    flat = (one.reshape(images.shape[0], sum(counts), -1) for one in concat_box_prediction_layers(*read))
    parts = [one.split(counts, dim=1) for one in flat]
    found = []
    for level, (scores, codes, own) in enumerate(zip(*parts, anchors.split(counts), strict=True)):
        best, at = scores[..., 0].topk(min(stage.pre_nms_top_n(), len(own)), dim=1)
        chosen = codes.gather(1, at[..., None].expand(-1, -1, 4))
        corners = stage.box_coder.decode_single(chosen.reshape(-1, 4), own[at].reshape(-1, 4))
        found.append((best.sigmoid(), torch.full_like(at, level), corners.reshape(chosen.shape)))
    scores, levels, boxes = (torch.cat(list(part), dim=1) for part in zip(*found, strict=True))
    boxes = clip_boxes_to_image(boxes, size)
    scores = torch.where(_sides(boxes) >= stage.min_size, scores, -torch.ones_like(scores))
    kept = not_suppressed(scores, apart(levels, boxes, size), least=-0.5, overlap=stage.nms_thresh)
    ranked = torch.where(kept, scores, -torch.ones_like(scores))
    best, places = ranked.topk(min(stage.post_nms_top_n(), ranked.shape[1]), dim=1)
    return boxes.gather(1, places[..., None].expand(-1, -1, 4)), best >= 0


def judged(
    stage: Any, features: dict[str, Tensor], boxes: Tensor, exist: Tensor, size: tuple[int, int]
) -> Tensor:
    """The detections among proposals, rows of `box_labels`, (B, 100, 6).

    Args:
        stage: Torchvision's RoIHeads, in evaluation; class 0 is the background.
        features: Maps by name.
        boxes: Proposals, (B, P, 4) in pixels.
        exist: Which of them there are, (B, P) bool.
        size: Height and width of the images in pixels.
    """
    logits, codes = stage.box_predictor(stage.box_head(_cut_out(stage.box_roi_pool, features, boxes)))
    corners = stage.box_coder.decode_single(codes, boxes.reshape(-1, 4))
    batch, count = exist.shape
    corners = corners.reshape(batch, count, -1, 4)[:, :, 1:]
    corners = clip_boxes_to_image(corners, size)
    scores = logits.softmax(dim=-1).reshape(batch, count, -1)[:, :, 1:]
    right = exist[..., None] & (_sides(corners) >= LEAST_SIDE)
    labels = torch.arange(scores.shape[-1], device=scores.device).expand(scores.shape)
    return best_rows(
        torch.where(right, scores, -torch.ones_like(scores)).flatten(1),
        labels.flatten(1),
        corners.flatten(1, 2),
        size=size,
        least=stage.score_thresh,
        overlap=stage.nms_thresh,
        most=MOST,
    )


def _cut_out(cutter: Any, features: dict[str, Tensor], boxes: Tensor) -> Tensor:
    """The features inside boxes (B, P, 4), each from the map for its size, (B * P, C, 7, 7)."""
    images = torch.arange(boxes.shape[0], device=boxes.device)[:, None, None].expand(-1, boxes.shape[1], 1)
    places = torch.cat([images.to(boxes.dtype), boxes], dim=-1).reshape(-1, 5)
    level = cutter.map_levels([boxes.reshape(-1, 4)])
    cut = [
        roi_align(one, places, cutter.output_size, scale, cutter.sampling_ratio)
        for one, scale in zip(features.values(), cutter.scales, strict=True)
    ]
    chosen = cut[0]
    for place, one in enumerate(cut[1:], start=1):
        chosen = torch.where((level == place)[:, None, None, None], one, chosen)
    return chosen


def _sides(boxes: Tensor) -> Tensor:
    """The shorter side of each box (..., 4)."""
    return torch.minimum(boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1])
