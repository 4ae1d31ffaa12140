"""Frozen stages of any network: no gradient, no statistics, nothing drawn, nothing kept for a way back."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torchvision import models
from torchvision.models.convnext import CNBlockConfig

from imagelab.finetune.discriminative import Discriminative
from imagelab.finetune.gradual import Gradual
from imagelab.finetune.linear_probe import LinearProbe
from imagelab.finetune.moves import Groups, freeze, moves_of, stage_groups
from imagelab.model.dropout import set_dropout2d
from imagelab.model.resnet9 import ResNet9
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.stochastic_depth import set_stochastic_depth
from imagelab.optimizer.param_groups import param_groups

IMAGES = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
GRADUAL = Gradual(every=1, decay=0.5, rewarm=0, norm="train")
PROBE = LinearProbe(norm="frozen", views=None)


def dropping(name: str, **options: object) -> nn.Module:
    """A network of timm for small images, with stochastic depth and dropout in its blocks."""
    import timm

    return timm.create_model(name, num_classes=3, drop_path_rate=0.5, **options)  # pyright: ignore[reportArgumentType]


def torchvisions(make: Callable[..., nn.Module]) -> nn.Module:
    net = make(num_classes=3)
    set_stochastic_depth(net, 0.5)
    return net


def vit() -> nn.Module:
    return models.VisionTransformer(64, 16, 4, 2, 16, 32, dropout=0.3, attention_dropout=0.3, num_classes=3)


def swin() -> nn.Module:
    return models.SwinTransformer(
        [4, 4], 16, [2, 2], [1, 2], [4, 4], dropout=0.3, stochastic_depth_prob=0.5, num_classes=3
    )


def convnext() -> nn.Module:
    blocks = [CNBlockConfig(8, 16, 2), CNBlockConfig(16, 24, 1), CNBlockConfig(24, None, 1)]
    return models.ConvNeXt(blocks, stochastic_depth_prob=0.5, num_classes=3)


def nine() -> nn.Module:
    net = ResNet9(num_classes=3, in_channels=3, width=8, kernel_size=3, join="add", logit_scale=1.0)
    set_dropout2d(net, 0.3)
    return net


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "small_cnn": lambda: SmallCNN(num_classes=3, in_channels=3, widths=[8, 16, 16], kernel_size=3),
    "resnet9": nine,
    "torchvision resnet18": lambda: torchvisions(models.resnet18),
    "torchvision mobilenet": lambda: torchvisions(models.mobilenet_v3_small),
    "torchvision efficientnet": lambda: torchvisions(models.efficientnet_b0),
    "torchvision convnext": convnext,
    "torchvision vit": vit,
    "torchvision swin": swin,
    "timm resnet": lambda: dropping("test_resnet"),
    "timm convnext": lambda: dropping("test_convnext"),
    "timm efficientnet": lambda: dropping("test_efficientnet"),
    "timm mobilenet": lambda: dropping("mobilenetv3_small_050"),
    "timm vit": lambda: dropping("test_vit", img_size=64, proj_drop_rate=0.3, attn_drop_rate=0.3),
    "timm swin": lambda: dropping(
        "swin_tiny_patch4_window7_224",
        img_size=64,
        window_size=4,
        embed_dim=8,
        depths=(2, 2),
        num_heads=(1, 2),
    ),
}


def outputs(net: nn.Module, roots: list[str]) -> list[Tensor]:
    """What these parts of a network return, and the whole of it, for the same images."""
    found: list[Tensor] = []
    keep = lambda _, __, out: found.append(out.detach().clone())  # noqa: E731
    hooks = [net.get_submodule(name).register_forward_hook(keep) for name in roots]
    net(IMAGES)
    for hook in hooks:
        hook.remove()
    return found


def kept_for_backward(net: nn.Module) -> int:
    """Numbers that a forward pass keeps for the gradients, weights aside."""
    weights, kept = {one.data_ptr() for one in net.parameters()}, []
    keep = lambda tensor: kept.append(tensor.numel() * (tensor.data_ptr() not in weights))  # noqa: E731
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        net(IMAGES)
    return sum(kept)


@pytest.fixture(params=NETWORKS)
def net(request) -> nn.Module:
    torch.manual_seed(1)
    return NETWORKS[request.param]()


def test_frozen_stages_get_no_gradient_and_are_in_evaluation_mode(net):
    moves = moves_of(net, GRADUAL, epochs=50)
    assert len(moves) >= 3
    for epoch in {0, 1, len(moves) // 2, len(moves) - 1}:
        still = moves[: len(moves) - 1 - epoch]
        roots = [name for move in still for name in move.stage.modules]
        net.eval()
        wanted = outputs(net, roots)
        freeze(net.train(), moves, epoch, "train")
        buffers = {name: value.clone() for name, value in net.named_buffers()}
        found = outputs(net, roots)
        assert len(found) == len(wanted) > 0 or not roots
        for pair in zip(found, wanted, strict=True):  # torch's attention rounds otherwise without gradients
            torch.testing.assert_close(*pair, rtol=1e-4, atol=1e-5)
        net.zero_grad()
        net(IMAGES).logsumexp(1).sum().backward()
        frozen = {name for move in still for name in move.stage.parameters}
        for name, parameter in net.named_parameters():
            assert (parameter.grad is None) == (name in frozen), name
        for name, value in net.named_buffers():
            inside = any(name.startswith(f"{root}.") for root in roots)
            assert not inside or torch.equal(value, buffers[name]), name


def test_with_all_stages_unfrozen_nothing_is_left_frozen(net):
    moves = moves_of(net, GRADUAL, epochs=50)
    before = [layer.training for layer in net.train().modules()]
    freeze(net, moves, 0, "train")
    assert [layer.training for layer in net.modules()] != before or not any(net.buffers())
    freeze(net.train(), moves, 49, "train")
    assert [layer.training for layer in net.modules()] == before
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_a_linear_probe_stores_no_activations_of_the_backbone(net):
    whole = kept_for_backward(net.train())
    freeze(net, moves_of(net, PROBE, epochs=5), 0, "frozen")
    assert 0 < kept_for_backward(net) < 0.03 * whole


def test_norm_frozen_keeps_the_statistics_of_trained_stages_and_trains_scale_and_shift():
    net = torchvisions(models.resnet18)
    everything = Discriminative(decay=1, norm="frozen")
    freeze(net.train(), moves_of(net, everything, epochs=5), 0, "frozen")
    buffers = {name: value.clone() for name, value in net.named_buffers()}
    torch.manual_seed(0)
    one = net(IMAGES)
    assert not torch.equal(net(IMAGES), one)  # branches are left out all the same
    one.sum().backward()
    assert all(torch.equal(value, buffers[name]) for name, value in net.named_buffers())
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_each_parameter_is_in_one_group_with_the_rate_of_its_stage(net):
    moves = moves_of(net, GRADUAL, epochs=50)
    whole: Groups = [group | {"lr": 0.1} for group in param_groups(net, 0.01, False)]
    groups = stage_groups(net, whole, moves)
    decays = {one: group["weight_decay"] for group in whole for one in group["params"]}
    held = [(one, group["weight_decay"]) for group in groups for one in group["params"]]
    assert dict(held) == decays
    assert len(held) == len(decays)
    for group in groups:
        assert group["lr"] == pytest.approx(0.1 * 0.5 ** (len(moves) - 1 - group["stage"]))
    assert len({group["name"] for group in groups}) == len(groups)
    probe = stage_groups(net, whole, moves_of(net, PROBE, epochs=5))
    assert all(group["name"].startswith("head") for group in probe)
