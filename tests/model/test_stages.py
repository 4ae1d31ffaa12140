"""Cutting a network into stages, from stem to head."""

import pytest
import torch
from torch import nn

from imagelab.model.head import last_layer
from imagelab.model.norm import set_norm
from imagelab.model.resnet9 import ResNet9
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.stages import stages
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model


def network(library, name, size=224):
    with torch.device("meta"):
        return library(name=name, pretrained=False, num_classes=10, in_channels=3, size=size)


def owners(net):
    """Where each layer with state of its own is: name -> names of the stages that hold it."""
    names = [name for name, layer in net.named_modules() if layer._parameters or layer._buffers]
    cut = stages(net)
    return {
        name: [stage.name for stage in cut for root in stage.modules if f"{name}.".startswith(f"{root}.")]
        for name in names
        if not any(root.startswith(f"{name}.") for stage in cut for root in stage.modules) and name
    }


RESNET = ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
FEATURES = ["stem", *(f"features.{place}" for place in range(1, 8)), "head"]
LAYERS = ["stem", *(f"encoder.layers.encoder_layer_{place}" for place in range(12)), "head"]
BLOCKS = ["stem", *(f"blocks.{place}" for place in range(12)), "head"]
STAGES = ["stem", *(f"stages.{place}" for place in range(4)), "head"]
EXPECTED = [
    (torchvision_model, "resnet18", RESNET),
    (torchvision_model, "resnet50", RESNET),
    (torchvision_model, "convnext_tiny", FEATURES),
    (torchvision_model, "efficientnet_b0", [*FEATURES[:-1], "features.8", "head"]),
    (torchvision_model, "mobilenet_v3_small", ["stem", *(f"features.{i}" for i in range(1, 13)), "head"]),
    (torchvision_model, "vit_b_16", LAYERS),
    (torchvision_model, "swin_t", FEATURES),
    (torchvision_model, "vgg11_bn", ["stem", *(f"features.{i}" for i in (4, 8, 15, 22)), "head"]),
    (timm_model, "resnet18", RESNET),
    (timm_model, "resnet50d", RESNET),
    (timm_model, "convnext_atto", STAGES),
    (timm_model, "efficientnet_b0", [*BLOCKS[:8], "head"]),
    (timm_model, "mobilenetv3_small_050", [*BLOCKS[:7], "head"]),
    (timm_model, "vit_tiny_patch16_224", BLOCKS),
    (timm_model, "swin_tiny_patch4_window7_224", ["stem", *(f"layers.{i}" for i in range(4)), "head"]),
    (timm_model, "rdnet_tiny", ["stem", *(f"dense_stages.{place}" for place in range(7)), "head"]),
    (timm_model, "selecsls42", ["stem", *(f"features.{place}" for place in range(6)), "neck", "head"]),
]  # fmt: skip


@pytest.mark.parametrize(("library", "name", "expected"), EXPECTED)
def test_every_parameter_and_layer_is_in_one_stage_from_stem_to_head(library, name, expected):
    net = network(library, name)
    cut = stages(net)
    assert [stage.name for stage in cut] == expected
    parameters = [parameter for stage in cut for parameter in stage.parameters]
    assert sorted(parameters) == sorted(parameter for parameter, _ in net.named_parameters())
    assert all(len(stage) == 1 for stage in owners(net).values())
    assert owners(net)[last_layer(net)[0]] == ["head"]
    first = next(name for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d))
    assert owners(net)[first] == ["stem"]


@pytest.mark.parametrize(
    ("library", "name"), [(torchvision_model, "vit_b_16"), (timm_model, "vit_tiny_patch16_224")]
)
def test_tokens_and_positions_are_in_the_stem_and_the_last_norm_in_the_last_block(library, name):
    cut = stages(network(library, name))
    own = [name for name in cut[0].parameters if name.split(".")[-1] in ("class_token", "cls_token")]
    positions = [name for name in cut[0].parameters if "pos_embed" in name]
    assert len(own) == len(positions) == 1
    assert {"encoder.ln", "norm"} & set(cut[-2].modules)
    assert len(cut[-1].parameters) == 2


def test_pooling_dropout_and_hidden_layers_of_a_classifier_are_in_the_head():
    assert stages(network(torchvision_model, "vgg11"))[-1].modules == ("avgpool", "classifier")
    assert stages(network(torchvision_model, "resnet18"))[-1].modules == ("avgpool", "fc")


def test_our_own_networks_are_cut_into_stages():
    small = stages(SmallCNN(num_classes=4, in_channels=1, widths=[8, 16, 16], kernel_size=3))
    assert [stage.name for stage in small] == ["stem", "features.4", "features.8", "head"]
    assert small[0].modules == ("features.0", "features.1", "features.2", "features.3")
    nine = stages(ResNet9(num_classes=4, in_channels=3, width=4, kernel_size=3, join="add", logit_scale=1.0))
    assert [stage.name for stage in nine] == ["stem", "layer1", "layer2", "layer3", "head"]


def test_other_networks_are_cut_by_the_same_rule():
    first, second = (nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)) for _ in range(2))
    trunk = nn.Sequential(first, second, first, nn.Flatten())
    wrapped = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), trunk, nn.Linear(4, 2)))
    assert [stage.name for stage in stages(wrapped)] == ["stem", "0.1.0", "0.1.1", "head"]
    assert [stage.name for stage in stages(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))] == ["head"]


def test_a_network_with_other_norms_has_the_same_stages():
    plain, frozen = (
        network(timm_model, "resnet18", 64),
        network(timm_model, "resnet18", 64).to_empty(device="cpu"),
    )
    set_norm(frozen, "frozen")
    assert [stage.modules for stage in stages(frozen)] == [stage.modules for stage in stages(plain)]
