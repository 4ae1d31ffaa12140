"""Networks of torchvision, fitted to classes, channels and size."""

from urllib.error import URLError

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models._api import WeightsEnum

from imagelab.model.logits import check_logits
from imagelab.model.torchvision import torchvision_model, torchvision_preprocess
from imagelab.problem import Problem

FAMILIES = [
    "resnet18",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "squeezenet1_1",
    "shufflenet_v2_x0_5",
    "regnet_y_400mf",
    "mnasnet0_5",
    "densenet121",
    "googlenet",
    "swin_t",
    "vit_b_32",
]


def network(name, pretrained=False, num_classes=7, in_channels=3, size=64):
    return torchvision_model(
        name=name, pretrained=pretrained, num_classes=num_classes, in_channels=in_channels, size=size
    )


@pytest.fixture
def weights(monkeypatch):
    """Weights of a freshly drawn network in place of the download; returns what was handed out."""
    handed = {}

    def get_state_dict(self, *args, **kwargs):
        name = next(
            name for name in models.list_models(module=models) if models.get_model_weights(name) is type(self)
        )
        torch.manual_seed(1)
        options = {"aux_logits": True, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
        handed[name] = models.get_model(name, weights=None, **options).state_dict()
        return handed[name]

    monkeypatch.setattr(WeightsEnum, "get_state_dict", get_state_dict)
    return handed


@pytest.mark.parametrize(("name", "in_channels"), [(name, 1) for name in FAMILIES] + [("resnet18", 4)])
def test_every_family_fits_classes_and_channels(name, in_channels):
    net = network(name, in_channels=in_channels)
    check_logits(net, num_classes=7, in_channels=in_channels, size=64)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_with_extra_heads_return_one_tensor_in_training(name):
    logits = network(name).train()(torch.randn(2, 3, 80, 80))
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (2, 7)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v3_small", "googlenet"])
def test_pretrained_weights_get_a_new_head_and_nothing_else(name, weights):
    net = network(name, pretrained=True)
    state = net.state_dict()
    changed = [key for key in state if not torch.equal(state[key], weights[name].get(key, torch.zeros(0)))]
    assert len(changed) == 2
    assert all(state[key].shape[0] == 7 for key in changed)
    check_logits(net, num_classes=7, in_channels=3, size=64)
    assert isinstance(net.train()(torch.randn(2, 3, 64, 64)), torch.Tensor)


def test_a_pretrained_network_treats_grey_like_equal_red_green_and_blue(weights):
    grey, colour = network("resnet18", True, 1000, 1).eval(), network("resnet18", True, 1000, 3).eval()
    colour.load_state_dict(weights["resnet18"])
    grey.fc.load_state_dict(colour.fc.state_dict())
    images = torch.randn(2, 1, 64, 64)
    torch.testing.assert_close(grey(images), colour(images.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-4)


def test_more_channels_repeat_the_kernels_rescaled(weights):
    kernels = network("resnet18", pretrained=True, in_channels=5).conv1.weight
    given = weights["resnet18"]["conv1.weight"]
    torch.testing.assert_close(kernels[:, :3], given * 3 / 5)
    torch.testing.assert_close(kernels[:, 3:], given[:, :2] * 3 / 5)


def test_the_position_embedding_of_a_vision_transformer_is_interpolated(weights):
    net = network("vit_b_32", pretrained=True, size=64)
    assert net.encoder.pos_embedding.shape == (1, 1 + 4, 768)
    assert torch.equal(net.conv_proj.weight, weights["vit_b_32"]["conv_proj.weight"])
    check_logits(net, num_classes=7, in_channels=3, size=64)


def test_a_misspelt_name_is_refused_with_the_nearest():
    with pytest.raises(Problem, match=r"model\.name=resnet81: .* did you mean 'resnet18'"):
        network("resnet81")
    with pytest.raises(Problem, match="did you mean 'resnet18'"):
        torchvision_preprocess("resnet_18")


def test_weights_that_cannot_be_downloaded_are_one_sentence(monkeypatch):
    def no_network(*args, **kwargs):
        raise URLError("Name or service not known")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    with pytest.raises(
        Problem, match=r"weights of resnet18 .* not be downloaded .* model\.pretrained=false"
    ) as caught:
        network("resnet18", pretrained=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "size"), [("vit_b_32", 40), ("maxvit_t", 64)])
def test_a_size_that_the_network_cannot_take_is_one_sentence(name, size):
    with pytest.raises(Problem, match=f"model.name={name} cannot take images of {size} x {size}") as caught:
        network(name, size=size)
    assert "\n" not in str(caught.value)


def test_the_preprocessing_is_that_of_the_weights():
    found = torchvision_preprocess("resnet18")
    assert (found.size, found.resize, found.channels, found.interpolation) == (224, 256, 3, "bilinear")
    assert found.mean == [0.485, 0.456, 0.406]
    assert found.std == [0.229, 0.224, 0.225]


def test_every_classification_network_says_how_to_preprocess():
    for name in models.list_models(module=models):
        found = torchvision_preprocess(name)
        assert found.size <= found.resize
        assert found.interpolation in ("bilinear", "bicubic")


def test_the_head_is_new_and_linear(weights):
    net = network("resnet18", pretrained=True)
    assert isinstance(net.fc, nn.Linear)
    assert net.fc.bias.abs().max() <= 1 / 512**0.5
