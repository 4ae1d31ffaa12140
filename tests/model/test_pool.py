"""Fractional max pooling."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from imagelab.model.pool import FractionalMaxPool, set_pool, starts
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model
from imagelab.problem import Problem

POOLS = {
    "halving": nn.MaxPool2d(2),
    "halving, ceil": nn.MaxPool2d(2, ceil_mode=True),
    "of resnet": nn.MaxPool2d(3, stride=2, padding=1),
    "of alexnet": nn.MaxPool2d(3, stride=2),
    "mean": nn.AvgPool2d(2),
    "oblong": nn.MaxPool2d((1, 2)),
    "quarter": nn.MaxPool2d(4),
}


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("side", [4, 7, 13, 32])
@pytest.mark.parametrize("training", [True, False])
def test_the_maps_get_the_size_of_the_replaced_pooling(name, side, training):
    maps = torch.randn(2, 3, side, side + 1)
    pool = FractionalMaxPool(asked=POOLS[name]).train(training)
    assert pool(maps).shape == POOLS[name](maps).shape


@pytest.mark.parametrize(("before", "side"), [(32, 3), (13, 3), (8, 3), (30, 5)])
def test_the_values_are_those_of_torch_for_the_same_draws(before, side, monkeypatch):
    maps, draws = torch.randn(5, 4, before, before, requires_grad=True), torch.rand(5, 2)
    pool = FractionalMaxPool(asked=nn.MaxPool2d(side, stride=2))
    after = (before - side) // 2 + 1
    columns_first = draws.flip(1)[:, None].expand(5, 4, 2).contiguous()  # torch draws them in that order
    expected = F.fractional_max_pool2d(maps, side, output_size=after, _random_samples=columns_first)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: draws)
    pooled = pool(maps)
    assert torch.equal(pooled, expected)
    upstream = torch.randn_like(pooled)
    own, torchs = (torch.autograd.grad(one, maps, upstream)[0] for one in (pooled, expected))
    torch.testing.assert_close(own, torchs)


def test_regions_cover_the_map_in_steps_of_one_or_two():
    """Graham 2014, section 2: increments of 1 and 2, for a ratio between them."""
    found = starts(torch.rand(200), before=32, after=16, side=3)
    steps = found.diff(dim=1)
    assert set(steps.unique().tolist()) == {1, 2}
    assert (found[:, 0] == 0).all()
    assert (found[:, -1] == 29).all()
    assert len(found.unique(dim=0)) > 5


def test_the_last_region_reaches_the_edge_whatever_is_rounded():
    for before in range(6, 60):
        after = round(before / 1.4)
        turn = torch.tensor((after - 1) / (before - 2))  # from this draw on, the steps come one place earlier
        draws = torch.stack([turn + ulps * 2**-24 for ulps in range(-4, 5)])
        assert (starts(draws, before=before, after=after, side=2)[:, -1] == before - 2).all(), before


def test_regions_as_large_as_the_stride_would_leave_nothing_to_draw():
    """Why the regions overlap: torch's own layer with 2 x 2 is plain max pooling where maps are halved."""
    maps = torch.randn(2, 3, 32, 32)
    assert torch.equal(nn.FractionalMaxPool2d(2, output_size=16)(maps), F.max_pool2d(maps, 2))
    pool = FractionalMaxPool(asked=nn.MaxPool2d(2))
    assert not torch.equal(pool(maps), pool(maps))


def test_each_image_has_its_own_regions_shared_by_its_channels():
    picture = torch.arange(1024.0).view(1, 1, 32, 32)
    pooled = FractionalMaxPool(asked=nn.MaxPool2d(2))(picture.expand(64, 3, 32, 32))
    assert len(pooled.unique(dim=0)) > 20
    assert torch.equal(pooled[:, 0], pooled[:, 2])


def test_evaluation_is_deterministic_unlike_torchs_own_layer():
    maps = torch.randn(2, 3, 32, 32)
    own, torchs = FractionalMaxPool(asked=nn.MaxPool2d(2)).eval(), nn.FractionalMaxPool2d(3, output_size=16)
    state = torch.get_rng_state()
    assert torch.equal(own(maps), own(maps))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(torchs.eval()(maps), torchs(maps))


def test_draws_depend_on_torchs_seed():
    maps, pool = torch.randn(4, 3, 16, 16), FractionalMaxPool(asked=nn.MaxPool2d(2))
    seeded = [torch.manual_seed(seed) and pool(maps) for seed in (1, 1, 2)]
    assert torch.equal(seeded[0], seeded[1])
    assert not torch.equal(seeded[0], seeded[2])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_and_channels_last_pool_the_same_regions(dtype):
    maps = torch.randn(4, 8, 64, 64).to(dtype)
    pool = FractionalMaxPool(asked=nn.MaxPool2d(2))
    torch.manual_seed(0)
    expected = pool(maps.float())
    torch.manual_seed(0)
    pooled = pool(maps.contiguous(memory_format=torch.channels_last))
    assert pooled.dtype == dtype
    assert pooled.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(pooled.float(), expected)


def sizes_of(net, side):
    """The sides of the maps before the first and after each fractional pooling."""
    found = [side]
    for layer in net.modules():
        if isinstance(layer, FractionalMaxPool):
            layer.register_forward_hook(lambda *given: found.append(given[2].shape[-1]))
    net(torch.randn(2, 1, side, side))
    return found


@pytest.mark.parametrize(
    ("ratio", "sizes"),
    [(2**0.5, [28, 20, 14, 10, 7]), (2 ** (1 / 3), [28, 22, 17, 13, 10, 8, 6]), (1.6, [28, 18, 11])],
)
def test_a_ratio_makes_as_many_smaller_steps_as_make_up_for_the_pooling(ratio, sizes):
    """Graham 2014, section 3: sides shrink by the ratio from pooling to pooling, here to about a quarter."""
    net = SmallCNN(num_classes=4, in_channels=1, widths=[8, 16, 16], kernel_size=3)
    depth = sum(isinstance(layer, nn.Conv2d) for layer in net.modules())
    set_pool(net, ratio)
    assert sizes_of(net, 28) == sizes
    convolutions = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) - depth == len(sizes) - 1 - 2
    net(torch.randn(2, 1, 28, 28)).square().sum().backward()
    assert all(layer.weight.grad is not None and layer.weight.grad.any() for layer in convolutions)


def test_steps_of_one_and_two_pixels_are_as_frequent_as_the_ratio_asks_in_random_order():
    steps = starts(torch.rand(500), before=28, after=20, side=2).diff(dim=1)
    assert set(steps.unique().tolist()) == {1, 2}
    assert float(steps.float().mean()) == pytest.approx(26 / 19)
    assert len(steps.unique(dim=0)) > 10


def test_a_library_network_is_rebuilt_too_unless_other_layers_expect_the_former_size():
    net = torchvision_model(name="vgg11", pretrained=False, num_classes=4, in_channels=3, size=64)
    set_pool(net, 1.4)
    assert sum(isinstance(layer, FractionalMaxPool) for layer in net.modules()) == 10
    beside = timm_model(name="resnet10t", pretrained=False, num_classes=4, in_channels=3, size=64)
    with pytest.raises(Problem, match=r"model\.pool_ratio: ResNet does not fit maps of other sizes"):
        set_pool(beside, 1.6)


NETWORKS = [
    (torchvision_model, "resnet18", 1),
    (torchvision_model, "densenet121", 4),
    (torchvision_model, "squeezenet1_1", 3),
    (timm_model, "resnet10t", 4),
]


@pytest.mark.parametrize(("library", "name", "count"), NETWORKS)
def test_every_pooling_of_a_network_is_replaced_and_the_names_stay(library, name, count):
    net = library(name=name, pretrained=False, num_classes=4, in_channels=3, size=64)
    keys = list(net.state_dict())
    set_pool(net)
    assert sum(isinstance(layer, FractionalMaxPool) for layer in net.modules()) == count
    assert list(net.state_dict()) == keys
    net(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_average_before_the_head_and_pooling_without_a_stride_stay():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, stride=1), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1))
    net = nn.Sequential(body, nn.AvgPool2d(7), nn.Flatten(), nn.Linear(4, 2))
    set_pool(net)
    kinds = [type(layer) for layer in (body[1], body[2], net[1])]
    assert kinds == [nn.MaxPool2d, FractionalMaxPool, nn.AvgPool2d]


def test_a_network_without_pooling_is_refused():
    with pytest.raises(Problem, match=r"model\.pool=fractional_max replaces .* SmallCNN has none"):
        set_pool(SmallCNN(num_classes=2, in_channels=3, widths=[4], kernel_size=3))
