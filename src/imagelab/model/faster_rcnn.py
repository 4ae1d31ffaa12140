# room: detection
"""Faster R-CNN: one stage proposes boxes, a second one cuts their features out, classifies and corrects them.

Source: Ren et al. 2015, https://arxiv.org/abs/1506.01497, section 3, on the pyramid of Lin et al. 2017,
https://arxiv.org/abs/1612.03144; torchvision's implementation.
"""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import FasterRCNN as Finder
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops.poolers import MultiScaleRoIAlign, initLevelMapper

from imagelab.model.backbone import strides_of
from imagelab.model.detector import MOST, Anchors, Boxes, Detector, squares
from imagelab.model.pyramid import Handed, norm_layer, pyramid
from imagelab.model.two_stages import judged, proposed

CUT = 7  # side of the features that are cut out of a box


class FasterRcnn(Detector):
    """Faster R-CNN on a feature pyramid.

    Args:
        backbone: Name of the network below the pyramid; see `pyramid`.
        backbone_args: Further arguments of that network; None: none.
        pretrained: Whether the backbone starts from ImageNet weights.
        levels: Levels of the pyramid: level 3 has a stride of 2^3 = 8 pixels.
        width: Channels of the pyramid.
        hidden: Features of the second stage, per box.
        sampled: Proposals per image that the second stage learns from.
        anchor: Side of the anchors of a level, in strides.
        ratios: Height / width of the anchors.
        score: Least score of a detection, in [0, 1).
        overlap: Largest IoU of two detections of one class, in (0, 1]; above it, only the higher score stays.
        num_classes: Number of classes, K.
        in_channels: Channels of an image.
        norm: Norm of the network (`model.norm`); unless "default", pyramid and second stage have one, too.
    """

    def __init__(
        self,
        *,
        backbone: str,
        backbone_args: Mapping[str, Any] | None,
        pretrained: bool,
        levels: Sequence[int],
        width: int,
        hidden: int,
        sampled: int,
        anchor: float,
        ratios: Sequence[float],
        score: float,
        overlap: float,
        num_classes: int,
        in_channels: int,
        norm: str,
    ) -> None:
        below = pyramid(
            backbone, backbone_args or {}, pretrained, in_channels, levels=levels, width=width, norm=norm
        )
        sides = squares([2**level for level in levels], [anchor])
        finder = Finder(
            Handed(width),
            rpn_anchor_generator=Anchors(sides, (tuple(ratios),) * len(levels)),
            box_roi_pool=_cutter(backbone, levels),
            box_head=_second_stage(width, hidden, norm),
            box_predictor=FastRCNNPredictor(hidden, num_classes + 1),  # 0 is the background
            box_batch_size_per_image=sampled,
            box_score_thresh=score,
            box_nms_thresh=overlap,
            box_detections_per_img=MOST,
        )
        super().__init__(pyramid=below, finder=finder)

    @property
    def anchors(self) -> Anchors:
        """Boxes from which the first stage proposes others."""
        return self.finder.rpn.anchor_generator

    def losses(self, images: ImageList, features: dict[str, Tensor], boxes: Boxes) -> dict[str, Tensor]:
        """The terms of the loss by name, scalars."""
        shifted = [one | {"labels": one["labels"] + 1} for one in boxes]
        with _learning(self.finder.rpn), _learning(self.finder.roi_heads):
            proposals, first = self.finder.rpn(images, features, shifted)
            _, second = self.finder.roi_heads(features, proposals, images.image_sizes, shifted)
        return second | first

    def detections(self, images: ImageList, features: dict[str, Tensor]) -> Boxes:
        """Boxes with labels and scores per image, highest score first."""
        proposals, _ = self.finder.rpn(images, features)
        found, _ = self.finder.roi_heads(features, proposals, images.image_sizes)
        return [one | {"labels": one["labels"] - 1} for one in found]

    def traced(self, images: Tensor, features: dict[str, Tensor]) -> Tensor:
        """The rows of `detections`, (B, 100, 6), in a form that does not depend on the number of images."""
        size = (images.shape[-2], images.shape[-1])
        boxes, exist = proposed(self.finder.rpn, images, features, size)
        return judged(self.finder.roi_heads, features, boxes, exist, size)


def _cutter(backbone: str, levels: Sequence[int]) -> MultiScaleRoIAlign:
    """Cut the features of a box from the map that suits its size, even if several maps share a stride."""
    cutter = MultiScaleRoIAlign([str(level) for level in levels], CUT, sampling_ratio=2)
    cutter.scales = [1 / stride for stride in strides_of(backbone, levels)]
    cutter.map_levels = initLevelMapper(levels[0], levels[-1])
    return cutter


def _second_stage(width: int, hidden: int, norm: str) -> nn.Module:
    made = norm_layer(norm)
    if made is None:
        return TwoMLPHead(width * CUT**2, hidden)
    return FastRCNNConvFCHead((width, CUT, CUT), [width] * 2, [hidden], norm_layer=made)


@contextmanager
def _learning(stage: nn.Module) -> Any:
    """Let a stage compute losses, even where its layers are in evaluation."""
    before = stage.training
    vars(stage)["training"] = True
    try:
        yield
    finally:
        vars(stage)["training"] = before
