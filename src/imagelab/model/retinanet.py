# room: detection
"""RetinaNet: classes and corrections of anchors at every place, under a loss that easy places do not drown.

Source: Lin et al. 2017, https://arxiv.org/abs/1708.02002, sections 3 and 4; torchvision's implementation.
Without a norm in the heads, their hidden layers start from other weights: see `_keep_scale`.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.retinanet import RetinaNet as Finder
from torchvision.models.detection.retinanet import RetinaNetHead

from imagelab.model.detector import MOST, Anchors, Boxes, squares
from imagelab.model.one_stage import OneStage
from imagelab.model.pyramid import Handed, norm_layer, pyramid

OCTAVE = [1.0, 2 ** (1 / 3), 2 ** (2 / 3)]  # sides of the anchors of one level


class RetinaNet(OneStage):
    """RetinaNet on a feature pyramid.

    Args:
        backbone: Name of the network below the pyramid; see `pyramid`.
        backbone_args: Further arguments of that network; None: none.
        pretrained: Whether the backbone starts from ImageNet weights.
        levels: Levels of the pyramid: level 3 has a stride of 2^3 = 8 pixels.
        width: Channels of the pyramid and the head.
        anchor: Side of the smallest anchor of a level, in strides.
        ratios: Height / width of the anchors.
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
        sides = squares([2**level for level in levels], [anchor * step for step in OCTAVE])
        anchors = Anchors(sides, (tuple(ratios),) * len(levels))
        made: type[nn.Module] | None = norm_layer(norm)
        head = RetinaNetHead(
            width,
            anchors.num_anchors_per_location()[0],
            num_classes,
            norm_layer=partial(made) if made else None,
        )
        if made is None:
            _keep_scale(head)
        finder = Finder(
            Handed(width),
            num_classes,
            anchor_generator=anchors,
            head=head,
            score_thresh=score,
            nms_thresh=overlap,
            detections_per_img=MOST,
        )
        super().__init__(pyramid=below, finder=finder)

    @property
    def anchors(self) -> Anchors:
        """Boxes of several shapes at each place."""
        return self.finder.anchor_generator

    def _scores(self, read: dict[str, Tensor]) -> Tensor:
        return torch.sigmoid(read["cls_logits"])

    def _corners(self, codes: Tensor, anchors: Tensor) -> Tensor:
        return self.finder.box_coder.decode_single(codes, anchors)

    def _compare(
        self, boxes: Boxes, read: dict[str, Tensor], anchors: list[Tensor], maps: list[Tensor]
    ) -> dict[str, Tensor]:
        return self.finder.compute_loss(boxes, read, anchors)


def _keep_scale(head: RetinaNetHead) -> None:
    """Draw the hidden layers of both branches so that each keeps the scale of its input (He et al. 2015).

    The paper draws them with a deviation of 0.01, for 256 channels. With 64, each passes on a sixth, and all
    four a thousandth: at usual rates, such a head learns one score for all places before it sees the image.
    """
    for branch in (head.classification_head, head.regression_head):
        for layer in branch.conv.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
