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
        maps = [*features.values()]
        with torch.autocast(images.tensors.device.type, enabled=False):
            return self._compare(boxes, self._read(maps), self.finder.anchor_generator(images, maps), maps)

    def detections(self, images: ImageList, features: dict[str, Tensor]) -> Boxes:
        """Boxes with labels and scores per image, the surest first."""
        maps = [*features.values()]
        anchors = self.finder.anchor_generator(images, maps)
        read = self._read(maps)
        places = [one.shape[-2] * one.shape[-1] for one in maps]
        each = anchors[0].shape[0] // sum(places)
        counts = [count * each for count in places]
        by_level = {name: list(values.split(counts, dim=1)) for name, values in read.items()}
        split = [list(one.split(counts)) for one in anchors]
        return self.finder.postprocess_detections(by_level, split, images.image_sizes)

    def _read(self, maps: list[Tensor]) -> dict[str, Tensor]:
        return {name: values.float() for name, values in self.finder.head(maps).items()}

    def _compare(
        self, boxes: Boxes, read: dict[str, Tensor], anchors: list[Tensor], maps: list[Tensor]
    ) -> Any:
        raise NotImplementedError
