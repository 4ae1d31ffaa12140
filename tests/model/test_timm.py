"""Networks of timm, fitted to classes, channels and size."""

import math
import socket
import time

import pytest
import torch
from torch.nn import functional

from imagelab.model.logits import check_logits
from imagelab.model.timm import timm_model, timm_preprocess
from imagelab.problem import Problem

FAMILIES = [
    "resnet10t",
    "mobilenetv3_small_050",
    "efficientnet_lite0",
    "regnetx_002",
    "vit_tiny_patch16_224",
    "convnext_atto",
    "levit_128s",
    "mixer_s32_224",
]


def network(name, pretrained=False, num_classes=7, in_channels=3, size=64):
    return timm_model(
        name=name, pretrained=pretrained, num_classes=num_classes, in_channels=in_channels, size=size
    )


@pytest.mark.parametrize(("name", "in_channels"), [(name, 1) for name in FAMILIES] + [("resnet10t", 4)])
def test_every_family_fits_classes_channels_and_size(name, in_channels):
    net = network(name, in_channels=in_channels)
    check_logits(net, num_classes=7, in_channels=in_channels, size=64)


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small", "tf_efficientnet_lite0", "rexnet_100"])
@pytest.mark.parametrize("num_classes", [2, 10])
def test_the_loss_starts_near_chance_however_few_classes_there_are(name, num_classes):
    torch.manual_seed(0)
    logits = network(name, num_classes=num_classes)(torch.randn(16, 3, 64, 64))
    chance = math.log(num_classes)
    loss = functional.cross_entropy(logits, torch.arange(16) % num_classes).item()
    assert chance - 0.2 < loss < chance + 0.5  # timm's own heads: 0.3 to 7 above it


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet81", "timm has no such network; did you mean 'resnet"),
        ("resnet18.a1_in2k", "timm has no weights by that tag; did you mean 'resnet18.a1_in1k'"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest(name, sentence):
    for ask in (network, timm_preprocess):
        with pytest.raises(Problem, match=f"model.name={name}: {sentence}"):
            ask(name)


def test_a_network_without_weights_cannot_be_pretrained():
    with pytest.raises(
        Problem, match=r"timm has no weights for vit_base_patch16_18x2_224; set model\.pretrained=false"
    ):
        network("vit_base_patch16_18x2_224", pretrained=True)


def test_weights_that_cannot_be_downloaded_are_one_sentence_at_once(monkeypatch, tmp_path):
    def no_network(*args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    with pytest.raises(
        Problem, match=r"weights of resnet10t .* not be downloaded .* model\.pretrained=false"
    ) as caught:
        network("resnet10t", pretrained=True)
    assert sum(waited) < 10
    assert "\n" not in str(caught.value)


def test_the_preprocessing_is_that_of_the_weights():
    found = timm_preprocess("resnet18.a1_in1k")
    assert (found.size, found.resize, found.channels, found.interpolation) == (224, 235, 3, "bicubic")
    other = timm_preprocess("vit_base_patch16_clip_224.openai")
    assert other.mean == pytest.approx([0.4815, 0.4578, 0.4082], abs=1e-4)
