"""The head is nothing but the layer that makes the logits; pretrained layers before it are other stages."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from imagelab.finetune.gradual import Gradual
from imagelab.finetune.head_stage import tuned_stages
from imagelab.finetune.linear_probe import LinearProbe
from imagelab.finetune.moves import freeze, moves_of
from imagelab.finetune.top_half import TopHalf
from imagelab.finetune.two_phase import TwoPhase
from imagelab.model.head import set_head
from imagelab.model.stages import stages


def network(name: str) -> nn.Module:
    with torch.device("meta"):
        library, _, own = name.partition(".")
        model = timm.create_model if library == "timm" else torchvision.models.get_model
        return model(own, num_classes=10)


@pytest.mark.parametrize(
    ("name", "heads", "before"),
    [
        ("torchvision.vgg16", ["classifier.6"], "classifier.0"),
        ("torchvision.alexnet", ["classifier.6"], "classifier.1"),
        ("torchvision.mobilenet_v3_small", ["classifier.3"], "classifier.0"),
        ("torchvision.convnext_tiny", ["classifier.2"], "features.7"),
        ("torchvision.resnet18", ["fc"], "layer4"),
        ("timm.hrnet_w18_small", ["classifier"], "incre_modules"),
        ("timm.efficientvit_b0", ["head.classifier.4"], "head.in_conv"),
        ("timm.convnext_atto", ["head.fc"], "stages.3"),
        ("timm.caformer_s18", ["head.fc.fc2"], "head.fc.fc1"),
        ("timm.deit_tiny_distilled_patch16_224", ["head", "head_dist"], "blocks.11"),
    ],
)
def test_only_the_last_layer_moves_in_a_linear_probe_and_in_the_phase_of_the_head(name, heads, before):
    net = network(name)
    owned = {f"{head}.{kind}" for head in heads for kind in ("weight", "bias")}
    for strategy in (
        LinearProbe(norm="train", views=None),
        TwoPhase(norm="train", decay=0.5, rewarm=0, head_epochs=0.2),
        TopHalf(norm="train", decay=0.5, rewarm=0, head_epochs=0.2),
        Gradual(norm="train", decay=0.5, rewarm=0, every=0.2),
    ):
        moves = moves_of(net, strategy, epochs=10)
        assert [move.stage.name for move in moves][-2:] == [before, "head"]
        freeze(net.train(), moves, 0, "train")
        assert {one for one, parameter in net.named_parameters() if parameter.requires_grad} == owned
    held = [parameter for stage in tuned_stages(net) for parameter in stage.parameters]
    assert sorted(held) == sorted(parameter for parameter, _ in net.named_parameters())
    roots = sorted(root for stage in tuned_stages(net) for root in stage.modules)
    leaves = [one for one, layer in net.named_modules() if not list(layer.children())]
    assert all(sum(f"{leaf}.".startswith(f"{root}.") for root in roots) == 1 for leaf in leaves)


def test_dropout_right_before_the_last_layer_stays_with_it_and_is_active():
    net = network("torchvision.vgg16")
    freeze(net.train(), moves_of(net, LinearProbe(norm="train", views=None), epochs=1), 0, "train")
    assert [net.classifier[place].training for place in (2, 5, 6)] == [False, True, True]


def test_the_whole_head_of_a_task_is_new_and_trains():
    net = torchvision.models.resnet18(num_classes=4)
    set_head(
        net,
        lambda features: nn.Sequential(nn.Linear(features, 8), nn.ReLU(), nn.Linear(8, 2)),
        in_channels=3,
        size=32,
    )
    assert tuned_stages(net)[-1].parameters == ("fc.0.weight", "fc.0.bias", "fc.2.weight", "fc.2.bias")


def test_a_network_without_a_trunk_keeps_its_one_stage():
    assert tuned_stages(net := nn.Sequential(nn.Flatten(), nn.Linear(4, 2))) == stages(net)
