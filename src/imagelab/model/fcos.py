# room: detection
"""FCOS: each place of a feature map inside a box predicts its class and the distances to its four sides.

Source: Tian et al. 2019, https://arxiv.org/abs/1904.01355, section 3; torchvision's implementation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.fcos import FCOS, FCOSHead

from imagelab.model.detector import MOST, Anchors, Boxes, squares
from imagelab.model.one_stage import OneStage
from imagelab.model.pyramid import Handed, pyramid


class Fcos(OneStage):
    """FCOS on a feature pyramid.

    Args:
        backbone: Name of the network below the pyramid; see `pyramid`.
        backbone_args: Further arguments of that network; None: none.
        pretrained: Whether the backbone starts from ImageNet weights.
        levels: Levels of the pyramid: level 3 has a stride of 2^3 = 8 pixels.
        width: Channels of the pyramid and the head, a multiple of 32.
        convs: Number of convolutions of each branch of the head.
        score: Least score of a detection, in [0, 1).
        overlap: Largest IoU of two detections of one class, in (0, 1]; above it, only the higher score stays.
        num_classes: Number of classes, K.
        in_channels: Channels of an image.
        norm: Norm of the network (`model.norm`); unless "default", pyramid and head have one, too.
    """

    def __init__(
        self,
        *,
        backbone: str,
        backbone_args: Mapping[str, Any] | None,
        pretrained: bool,
        levels: Sequence[int],
        width: int,
        convs: int,
        score: float,
        overlap: float,
        num_classes: int,
        in_channels: int,
        norm: str,
    ) -> None:
        below = pyramid(
            backbone, backbone_args or {}, pretrained, in_channels, levels=levels, width=width, norm=norm
        )
        strides = [2**level for level in levels]
        anchors = Anchors(squares(strides, [1.0]), ((1.0,),) * len(strides))
        head = FCOSHead(width, anchors.num_anchors_per_location()[0], num_classes, num_convs=convs)
        finder = FCOS(
            Handed(width),
            num_classes,
            anchor_generator=anchors,
            head=head,
            score_thresh=score,
            nms_thresh=overlap,
            detections_per_img=MOST,
        )
        super().__init__(pyramid=below, finder=finder)

    def _scores(self, read: dict[str, Tensor]) -> Tensor:
        return torch.sqrt(torch.sigmoid(read["cls_logits"]) * torch.sigmoid(read["bbox_ctrness"]))

    def _corners(self, codes: Tensor, anchors: Tensor) -> Tensor:
        return self.finder.box_coder.decode(codes, anchors)

    def _compare(
        self, boxes: Boxes, read: dict[str, Tensor], anchors: list[Tensor], maps: list[Tensor]
    ) -> dict[str, Tensor]:
        places = [one.shape[-2] * one.shape[-1] for one in maps]
        return self.finder.compute_loss(boxes, read, anchors, places)
