"""Copy-paste: cut a patch out of another image and paste it elsewhere, larger or smaller, with soft borders.

CutMix keeps a patch in its place; here its place, size and border change, so that an object is learnt without
its surroundings.
Source: Ghiasi et al. 2021, https://arxiv.org/abs/2012.07177, section 3 (scale jitter, labels follow);
Dwibedi et al. 2017, https://arxiv.org/abs/1708.01642, section 5.2 (blended borders). Objects have masks
there; images with only a label have none, so patches are rectangles.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imagelab.augment.boxes import chosen, uncovered  # room: detection
from imagelab.box_labels import CORNERS, there  # room: detection
from imagelab.problem import Problem


class CopyPaste:
    """Paste a patch of another image of the batch into every image; place and size are drawn once per batch.

    Args:
        area: Smallest and largest area of the pasted patch, as a share of the image, in (0, 1].
        scale: Smallest and largest side of the pasted patch over that of the cut patch, drawn uniformly.
        feather: Width of the border in which the patch fades in linearly, in pixels; 0: a hard edge.
        p: Share of batches that are changed, in [0, 1].
    """

    mixes_labels = True
    follows_boxes = True  # room: detection

    def __init__(
        self, *, area: tuple[float, float], scale: tuple[float, float], feather: int, p: float
    ) -> None:
        self.area = area
        self.scale = scale
        self.feather = feather
        self.p = p

    def mix(self, images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float and targets (B, K) float -> the same shapes."""
        self._refuse_single(images)
        if rng.random() >= self.p:
            return images, targets
        side = rng.uniform(*self.area) ** 0.5
        zoom = rng.uniform(*self.scale)
        cut, paste = zip(*(_spans(rng, side, zoom, length) for length in images.shape[-2:]), strict=True)
        partner = torch.from_numpy(rng.permutation(len(images))).to(images.device, non_blocking=True)
        patch = _resized(images[(partner, slice(None), *cut)], paste)
        visible = self._fading(paste[0], images)[:, None] * self._fading(paste[1], images)
        mixed = images.clone()
        mixed[(..., *paste)] = images[(..., *paste)].lerp(patch, visible)
        # Labels follow the visible shares: in the fading border, a pixel counts for both.
        share = visible.sum() / images[0, 0].numel()
        return mixed, targets.lerp(targets[partner], share)

    def _refuse_single(self, images: Tensor) -> None:
        if len(images) < 2:
            raise Problem(
                "copy_paste pastes one image into another, but the batch has 1: "
                "set data.batch_size to 2 or more"
            )

    def mix_boxes(  # room: detection
        self, images: Tensor, boxes: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Paste one object of another image, cut out along its box, into every image, at a place of its own.

        Images (B, C, H, W) float and labels (B, M, 6) -> the same shape, and labels (B, M + 1, 6).
        """
        self._refuse_single(images)
        if rng.random() >= self.p:
            return images, boxes
        partner = rng.permutation(len(images))
        mixed = images.clone()
        rows = chosen(boxes[:, :1], torch.zeros_like(boxes[:, :1, 0]).bool())
        for place, other in enumerate(partner.tolist()):
            found = boxes[other][there(boxes[other])]
            zoom = rng.uniform(*self.scale)
            draws = rng.random(3)
            if other != place and len(found):
                one = found[int(draws[0] * len(found))]
                rows[place, 0] = self._paste(mixed[place], images[other], one, zoom, draws[1:])
        kept = uncovered(boxes[..., CORNERS], rows[..., CORNERS])
        sides = kept[..., 2:] - kept[..., :2]
        own = chosen(boxes, there(boxes) & (sides > 0).all(dim=-1))
        return mixed, torch.cat([own, rows], dim=1)

    def _paste(  # room: detection
        self, image: Tensor, other: Tensor, box: Tensor, zoom: float, draws: np.ndarray
    ) -> Tensor:
        """Paste the content of a box (6,) into an image (C, H, W), in place -> the row of its new box."""
        left, top = (int(value) for value in box[1:3].floor().tolist())
        right, bottom = (int(value) for value in box[3:5].ceil().tolist())
        limits = image.shape[-2:]
        tall, wide = (
            min(most, max(1, round(side * zoom)))
            for side, most in zip((bottom - top, right - left), limits, strict=True)
        )
        rows, columns = (
            slice(start := int(draw * (most - side + 1)), start + side)
            for draw, side, most in zip(draws, (tall, wide), limits, strict=True)
        )
        patch = _resized(other[None, :, top:bottom, left:right], (rows, columns))[0]
        visible = self._fading(rows, image)[:, None] * self._fading(columns, image)
        image[:, rows, columns] = image[:, rows, columns].lerp(patch, visible)
        scale = box.new_tensor([wide / (right - left), tall / (bottom - top)] * 2)
        corners = (box[CORNERS] - box.new_tensor([left, top] * 2)) * scale
        return torch.cat([box[:1], corners + box.new_tensor([columns.start, rows.start] * 2), box[5:]])

    def _fading(self, span: slice, like: Tensor) -> Tensor:
        """Opacity of the patch at each place along one axis, in (0, 1]: (length,)."""
        length = span.stop - span.start
        place = torch.arange(length, device=like.device, dtype=like.dtype)
        inside = torch.minimum(place, length - 1 - place) + 1
        return (inside / (self.feather + 1)).clamp(max=1)


def _spans(rng: np.random.Generator, side: float, zoom: float, length: int) -> tuple[slice, slice]:
    """The places along one axis where a patch is cut out and where it is pasted."""
    pasted = max(1, round(side * length))
    taken = min(max(1, round(pasted / zoom)), length)
    starts = [int(rng.integers(length - size + 1)) for size in (taken, pasted)]
    return slice(starts[0], starts[0] + taken), slice(starts[1], starts[1] + pasted)


def _resized(patch: Tensor, spans: tuple[slice, ...]) -> Tensor:
    size = [span.stop - span.start for span in spans]
    if list(patch.shape[-2:]) == size:
        return patch
    return functional.interpolate(patch, size, mode="bilinear", antialias=True)
