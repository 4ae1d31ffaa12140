# room: detection
"""The form of a detector that exporters trace finds what the network finds, however many images there are."""

import pytest
import torch
from torch import Tensor

from imagelab.model.batched_rows import best_rows
from imagelab.model.detector import Detector
from tests.model.test_detectors import detector

PICTURES = torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))

NOISE = {
    "fcos": 0.1,
    "retinanet": 1.0,
    "faster_rcnn": 0.1,
}  # few scores are quite the same: their order is open


def noisy(name: str, *words: str) -> Detector:
    """A network whose heads find many boxes of several classes that overlap, with scores that differ."""
    net = detector(name, *words).eval()
    torch.manual_seed(0)
    for part, weight in net.named_parameters():
        if any(one in part for one in ("cls_logits", "bbox_reg", "cls_score", "bbox_pred")):
            weight.data += NOISE[name] * torch.randn_like(weight)
    return net


@torch.no_grad()
def rows(net: Detector, images: Tensor) -> Tensor:
    return net(images).unflatten(1, (-1, 6))


@torch.no_grad()
def traced(net: Detector, images: Tensor) -> Tensor:
    return net.traced(images, net.pyramid(images))


@pytest.mark.parametrize("name", NOISE)
def test_the_rows_are_those_of_the_network(name):
    net = noisy(name, "model.score=0.001", "model.overlap=0.3")
    wanted = rows(net, PICTURES)
    assert len(set(wanted[..., 0].unique().tolist()) - {-1.0}) > 1
    assert torch.allclose(traced(net, PICTURES), wanted, atol=1e-4)


def test_images_without_detections_have_empty_rows_beside_images_with_some():
    scores = torch.tensor([[0.9, 0.8, 0.7, 0.6], [0.05, 0.01, 0.0, 0.0]])
    labels = torch.tensor([[1, 1, 0, 1]] * 2)
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10], [20, 20, 30, 30]]] * 2)
    found = best_rows(scores, labels, boxes, size=(32, 32), least=0.05, overlap=0.5, most=6)
    empty = [-1.0] + [0.0] * 5
    assert found.shape == (2, 6, 6)
    assert found[1].tolist() == [empty] * 6  # 0.05 is not above the least score
    expected = [[1, 0, 0, 10, 10, 0.9], [0, 0, 0, 10, 10, 0.7], [1, 20, 20, 30, 30, 0.6], *[empty] * 3]
    assert torch.allclose(found[0], torch.tensor(expected))


def test_boxes_of_many_images_and_classes_stay_as_exact_as_those_of_one():
    corners = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5.01], [20, 20, 30, 30]])
    scores, labels = torch.tensor([[0.9, 0.8, 0.7]]), torch.tensor([[79, 79, 79]])
    given = {"size": (640, 640), "least": 0.05, "most": 3}
    for overlap, count in ((0.5, 2), (0.502, 3)):  # the IoU of the first two boxes is 0.501
        found = best_rows(
            scores.repeat(64, 1), labels.repeat(64, 1), corners.repeat(64, 1, 1), overlap=overlap, **given
        )
        assert ((found[..., 0] >= 0).sum(dim=1) == count).all()


def test_a_program_of_it_takes_any_number_of_images_and_finds_nothing_where_nothing_is():
    net = detector("retinanet").eval()  # its first scores are 0.01
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(net, (PICTURES[:2],), dynamic_shapes=shapes).module()
    assert torch.equal(program(PICTURES).unflatten(1, (-1, 6)), rows(net, PICTURES))
    assert (program(PICTURES[:1]).unflatten(1, (-1, 6))[..., 0] == -1).all()
