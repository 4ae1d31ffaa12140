# room: detection
"""Let torchvision's detectors with one stage, FCOS and RetinaNet, work on given feature maps."""

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import clip_boxes_to_image

from imagelab.model.batched_rows import best_rows
from imagelab.model.detector import MOST, Boxes, Detector


class OneStage(Detector):
    """Predicts class and box at every place of every map."""

    def losses(self, images: ImageList, features: dict[str, Tensor], boxes: Boxes) -> dict[str, Tensor]:
        """The terms of the loss by name, scalars."""
        maps, read, anchors = self._looked(images, features)
        with torch.autocast(images.tensors.device.type, enabled=False):
            return self._compare(boxes, read, anchors, maps)

    def detections(self, images: ImageList, features: dict[str, Tensor]) -> Boxes:
        """Boxes with labels and scores per image, highest score first."""
        maps, read, anchors = self._looked(images, features)
        counts = _by_level(maps, len(anchors[0]))
        by_level = {name: list(values.split(counts, dim=1)) for name, values in read.items()}
        split = [list(one.split(counts)) for one in anchors]
        return self.finder.postprocess_detections(by_level, split, images.image_sizes)

    def traced(self, images: Tensor, features: dict[str, Tensor]) -> Tensor:
        """The rows of `detections`, (B, 100, 6), in a form that does not depend on the number of images."""
        size = (images.shape[-2], images.shape[-1])
        maps, read, anchors = self._looked(ImageList(images, [size]), features)
        counts = _by_level(maps, len(anchors[0]))
        parts = [values.split(counts, dim=1) for values in (self._scores(read), read["bbox_regression"])]
        found = [self._surest(*level) for level in zip(*parts, anchors[0].split(counts), strict=True)]
        scores, labels, boxes = (torch.cat(list(part), dim=1) for part in zip(*found, strict=True))
        return best_rows(
            scores,
            labels,
            clip_boxes_to_image(boxes, size),
            size=size,
            least=self.finder.score_thresh,
            overlap=self.finder.nms_thresh,
            most=MOST,
        )

    def _surest(self, scores: Tensor, codes: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, classes and corners of the candidates of a level, (B, n), (B, n) and (B, n, 4)."""
        classes = scores.shape[-1]
        best, places = scores.flatten(1).topk(min(self.finder.topk_candidates, len(anchors) * classes), dim=1)
        at = places // classes
        own = codes.gather(1, at[..., None].expand(-1, -1, 4))
        corners = self._corners(own.reshape(-1, 4), anchors[at].reshape(-1, 4))
        return best, places % classes, corners.reshape(own.shape)

    def _scores(self, read: dict[str, Tensor]) -> Tensor:
        """The score of each class at each anchor, (B, n, K), from the features that the head reads."""
        raise NotImplementedError

    def _corners(self, codes: Tensor, anchors: Tensor) -> Tensor:
        """The corners that codes (n, 4) stand for, given their anchors (n, 4)."""
        raise NotImplementedError

    def _looked(
        self, images: ImageList, features: dict[str, Tensor]
    ) -> tuple[list[Tensor], dict[str, Tensor], list[Tensor]]:
        """Feature maps, outputs of the head in float32 whatever the run's precision, and anchors."""
        maps = [*features.values()]
        read = {name: values.float() for name, values in self.finder.head(maps).items()}
        return maps, read, self.finder.anchor_generator(images, maps)

    def _compare(
        self, boxes: Boxes, read: dict[str, Tensor], anchors: list[Tensor], maps: list[Tensor]
    ) -> Any:
        raise NotImplementedError


def _by_level(maps: list[Tensor], anchors: int) -> list[int]:
    """How many of an image's anchors lie on each map."""
    places = [one.shape[-2] * one.shape[-1] for one in maps]
    return [count * (anchors // sum(places)) for count in places]
