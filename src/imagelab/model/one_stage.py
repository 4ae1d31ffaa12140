# room: detection
"""Let torchvision's detectors with one stage, FCOS and RetinaNet, work on given feature maps."""

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList

from imagelab.model.detector import Boxes, Detector


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
        places = [one.shape[-2] * one.shape[-1] for one in maps]
        each = anchors[0].shape[0] // sum(places)
        counts = [count * each for count in places]
        by_level = {name: list(values.split(counts, dim=1)) for name, values in read.items()}
        split = [list(one.split(counts)) for one in anchors]
        return self.finder.postprocess_detections(by_level, split, images.image_sizes)

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
