# room: detection
"""Fuse the detections of several networks, or of several views of an image, into one set of boxes.

Source: Solovyev et al. 2021, "Weighted boxes fusion", https://arxiv.org/abs/1910.13302, section 3.
"""

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_iou

from imagelab.box_labels import CLASS, CORNERS, NO_BOX, SCORE, there

# IoU above which boxes of a class mean one object; the paper has 0.55. A network keeps boxes apart that
# overlap by up to 0.6 (`model.overlap`), so that fusing it with itself changes nothing.
SAME = 0.6


def fused(rows: Tensor) -> Tensor:
    """The boxes of V sources, rows (V, B, M, 6), as one set per image: (B, M, 6), highest score first."""
    images = rows.float().cpu().double().numpy().transpose(1, 0, 2, 3)
    return torch.from_numpy(np.stack([_of_image(one) for one in images])).to(rows)


def _of_image(rows: np.ndarray) -> np.ndarray:
    sources, most = rows.shape[:2]
    found = rows[there(rows)]
    found = found[np.argsort(-found[:, SCORE], kind="stable")]
    whole = np.zeros((most, rows.shape[2]))
    whole[:, CLASS] = NO_BOX
    parts = [_of_class(found[found[:, CLASS] == label], sources) for label in np.unique(found[:, CLASS])]
    if parts:
        every = np.concatenate(parts)
        every = every[np.argsort(-every[:, SCORE], kind="stable")][:most]
        whole[: len(every)] = every
    return whole


def _of_class(found: np.ndarray, sources: int) -> np.ndarray:
    """Fuse the boxes of one class, (n, 6), highest score first.

    A box joins the fused one that it overlaps most. That has the mean of their corners, weighted by their
    scores, and the mean of their scores, times the share of the sources that found it.
    """
    groups: list[list[np.ndarray]] = []
    boxes = np.empty((0, 4))
    for row in found:
        overlaps = box_iou(torch.from_numpy(row[None, CORNERS]), torch.from_numpy(boxes))[0].numpy()
        if len(overlaps) and overlaps.max() > SAME:
            place = int(overlaps.argmax())
            groups[place].append(row)
            mine = np.stack(groups[place])
            boxes[place] = np.average(mine[:, CORNERS], axis=0, weights=np.maximum(mine[:, SCORE], 1e-9))
        else:
            groups.append([row])
            boxes = np.concatenate([boxes, row[None, CORNERS]])
    scores = [np.mean([one[SCORE] for one in group]) * min(len(group), sources) / sources for group in groups]
    return np.column_stack([np.full(len(groups), found[0, CLASS]), boxes, scores])
