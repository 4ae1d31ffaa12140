# room: detection
"""Compute COCO's average precision of boxes, by torchmetrics and faster-coco-eval.

Sizes are areas in pixels of the original photos: small below 32^2, large from 96^2 on.
Source: https://cocodataset.org/#detection-eval
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagelab.box_labels import CLASS, COLUMNS, CORNERS, SCALE, SCORE, there

NAMES = {
    "ap": "map",
    "ap50": "map_50",
    "ap75": "map_75",
    "ap_small": "map_small",
    "ap_medium": "map_medium",
    "ap_large": "map_large",
    "recall": "mar_100",
}
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, float("inf"))}
Found = list[dict[str, Tensor]]


def box_metrics(rows: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Average precision and recall over all images of a split; sizes without a box are left out.

    Args:
        rows: Detections, (N, D, 6) of class, corners and score (`box_labels`).
        labels: True boxes, (N, M, 6).
    """
    found = _measured(rows, labels, per_class=False)
    return {name: found[key].float() for name, key in NAMES.items() if found[key] >= 0}


def ap_per_class(rows: Tensor, labels: Tensor) -> dict[int, float]:
    """The average precision (IoU 0.5 to 0.95) of each class with a box, for arguments of `box_metrics`."""
    found = _measured(rows, labels, per_class=True)
    pairs = zip(
        found["classes"].reshape(-1).tolist(), found["map_per_class"].reshape(-1).tolist(), strict=True
    )
    return {label: value for label, value in pairs if value >= 0}


def in_photos(rows: Tensor, labels: Tensor) -> tuple[Found, Found]:
    """Detections and true boxes of each image in pixels of its photo, in the form of torchmetrics."""
    found: Found = []
    true: Found = []
    for own, label in zip(rows.cpu().view(len(rows), -1, COLUMNS), labels.cpu(), strict=True):
        scale = label[0, SCALE]
        own, label = own[there(own)], label[there(label)]
        found.append(_boxes(own, scale) | {"scores": own[:, SCORE]})
        true.append(_boxes(label, scale))
    return found, true


def _boxes(rows: Tensor, scale: Tensor) -> dict[str, Tensor]:
    return {"boxes": rows[:, CORNERS] * scale, "labels": rows[:, CLASS].long()}


def _measured(rows: Tensor, labels: Tensor, *, per_class: bool) -> dict[str, Any]:
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(
        backend="faster_coco_eval",
        iou_thresholds=np.linspace(0.5, 0.95, 10).tolist(),  # torch's own are rounded to 32 bits, and a
        rec_thresholds=np.linspace(0, 1, 101).tolist(),  # recall of just 0.1 falls below 0.1 there
        class_metrics=per_class,
        sync_on_compute=False,  # every process has the outputs of all
    )
    metric.warn_on_many_detections = False
    metric.update(*in_photos(rows.float(), labels.float()))
    with torch.inference_mode(False):
        return metric.compute()
