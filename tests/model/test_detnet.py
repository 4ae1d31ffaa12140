from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from imagelab.config import menu
from imagelab.config.rules.values import number_problems
from imagelab.model.backbone import backbone_of  # room: detection
from imagelab.model.detnet import DETNET59, DetNet, DetNetMaps
from imagelab.problem import Problem

SMALL = {"width": 8, "depths": [1, 1, 1, 1, 1]}


@pytest.fixture(scope="module")
def paper() -> DetNet:
    """DetNet-59, without numbers in its weights."""
    with torch.device("meta"):
        return DetNet(num_classes=1000, in_channels=3, width=64, depths=[3, 4, 6, 3, 3])


def receptive(net: nn.Module, level: int) -> int:
    """Pixels in a row that the middle of a map depends on, for positive weights."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1.0)
        elif isinstance(layer, nn.BatchNorm2d) and layer.running_var is not None:
            nn.init.constant_(layer.running_var, 1e4)  # keeps the sums finite
    image = torch.ones(1, 1, 33, 2049, requires_grad=True)
    found: Tensor = net.eval()(image)[level]
    found[..., found.shape[-1] // 2].sum().backward()
    assert image.grad is not None
    return int((image.grad.sum(dim=(0, 1, 2)) > 0).sum())


def test_it_has_59_layers_and_the_cost_that_the_paper_gives(paper):
    path = [name for name, one in paper.named_modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    assert sum("downsample" not in name for name in path) == 59
    with FlopCounterMode(display=False) as counter:
        paper.eval()(torch.zeros(1, 3, 224, 224, device="meta"))
    # 4.8 in the paper; torchvision's bottlenecks halve maps in their 3 x 3 convolution, for 0.3 more.
    assert counter.get_total_flops() / 2e9 == pytest.approx(4.8 + 0.3, abs=0.15)


def test_the_last_three_stages_have_a_stride_of_16_and_the_same_channels(paper):
    found = paper.maps(torch.zeros(1, 3, 256, 256, device="meta"))
    assert {level: (one.shape[1], 256 // one.shape[-1]) for level, one in found.items()} == {
        2: (256, 4), 3: (512, 8), 4: (1024, 16), 5: (1024, 16), 6: (1024, 16),
    }  # fmt: skip


def test_the_last_two_stages_are_dilated_with_256_channels_and_begin_with_a_projection(paper):
    for place in range(1, 6):
        blocks = [*paper.get_submodule(f"layer{place}").children()]
        spatial = [block.get_submodule("conv2") for block in blocks]
        assert {one.dilation for one in spatial} == {(2, 2) if place > 3 else (1, 1)}
        assert [isinstance(block.downsample, nn.Sequential) for block in blocks] == [True] + [False] * (
            len(blocks) - 1
        )
        if place > 3:
            assert {(one.in_channels, one.out_channels, one.stride) for one in spatial} == {
                (256, 256, (1, 1))
            }


def test_a_dilated_block_widens_the_receptive_field_as_much_as_a_block_of_a_resnet_at_a_stride_of_32():
    net = DetNetMaps(in_channels=1, **SMALL, levels=[4, 5, 6])
    seen = [receptive(net, level) for level in range(3)]
    assert [after - before for before, after in pairwise(seen)] == [2 * 32, 2 * 32]  # 2 * 16 undilated


def test_its_config_holds_the_sizes_of_the_paper_and_others_are_refused():
    assert {key: menu.value("model", "detnet", key) for key in DETNET59} == DETNET59
    with pytest.raises(Problem, match=r"model\.depths: wants the blocks of five stages.*got \[1, 1\]"):
        DetNet(num_classes=2, in_channels=3, width=8, depths=[1, 1])
    (sentence,) = number_problems({"model": {"depths": [1, 1, 0, 1, 1]}})
    assert sentence.startswith("model.depths: wants")


# room: detection
@pytest.mark.parametrize("levels", [[3, 4], [4, 5, 6]])
def test_as_a_backbone_it_has_no_stages_after_the_last_level(levels):
    body, channels = backbone_of("detnet", SMALL, False, 1, levels)
    maps = body.eval()(torch.zeros(2, 1, 64, 64))
    assert [one.shape[1] for one in maps] == channels == [{3: 64}.get(level, 128) for level in levels]
    assert [64 // one.shape[-1] for one in maps] == [{3: 8}.get(level, 16) for level in levels]
    assert sum(name.startswith("layer") for name, _ in body.named_children()) == levels[-1] - 1


@pytest.mark.parametrize(
    ("args", "levels", "says"),
    [
        ({}, [1, 2], r"model\.levels: model\.backbone=detnet has levels 2 to 6, got \[1, 2\]"),
        ({"wide": 3}, [4], r"model\.backbone_args=\{'wide': 3\} does not suit detnet.*wide.*detnet\.yaml"),
        ({"width": -8}, [4], r"model\.backbone_args=\{'width': -8\} does not suit detnet"),
    ],
)
def test_levels_and_arguments_that_it_does_not_have_are_refused(args, levels, says):
    with pytest.raises(Problem, match=says):
        backbone_of("detnet", args, False, 1, levels)


# end
