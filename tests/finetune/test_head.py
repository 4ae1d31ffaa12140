"""Finding the end of a network that features alone go through."""

import pytest
import torch
from torch import nn

from imagelab.finetune.head import Head, head_layers
from imagelab.model.dropout import set_dropout
from imagelab.model.resnet9 import ResNet9
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model

IMAGES = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
LIBRARY = {"num_classes": 5, "in_channels": 3, "size": 64, "pretrained": False}


def network(name: str, dropout: float | None) -> nn.Module:
    torch.manual_seed(0)
    own = {"num_classes": 5, "in_channels": 3}
    if name == "small_cnn":
        net: nn.Module = SmallCNN(**own, widths=[4, 8], kernel_size=3)
    elif name == "resnet9":
        net = ResNet9(**own, width=4, kernel_size=3, join="add", logit_scale=0.125)
    else:
        library, _, model = name.partition(".")
        net = {"torchvision": torchvision_model, "timm": timm_model}[library](name=model, **LIBRARY)
    if dropout is not None:
        set_dropout(net, dropout)
    return net.eval()


def features_of(net, layer, images):
    seen = []
    hook = net.get_submodule(layer).register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].clone()), prepend=True
    )
    logits = net(images)
    hook.remove()
    return seen[0], logits


@pytest.mark.parametrize(
    ("name", "dropout", "first", "draws"),
    [
        ("small_cnn", None, "head", False),
        ("small_cnn", 0.4, "head", True),
        ("resnet9", None, "head", False),
        ("torchvision.resnet18", 0.4, "fc", True),
        ("torchvision.efficientnet_b0", None, "classifier.0", True),
        ("torchvision.convnext_tiny", None, "classifier.2", False),
        ("torchvision.swin_t", None, "head", False),
        ("timm.test_convnext", 0.4, "head.drop", True),
        ("timm.test_efficientnet", None, "classifier", False),
        ("timm.mobilenetv3_small_050", None, "classifier", False),
    ],
)
@torch.no_grad()
def test_the_head_alone_gives_the_same_logits_in_evaluation_and_in_training(name, dropout, first, draws):
    net = network(name, dropout)
    state = {key: value.clone() for key, value in net.state_dict().items()}
    layers = head_layers(net, IMAGES)
    assert layers[0] == first
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert not any(layer.training or layer._forward_hooks for layer in net.modules())
    features, logits = features_of(net, layers[0], IMAGES)
    head = Head(net=net, layers=layers)
    assert torch.equal(head(features.clone()), logits)
    for layer in layers:
        net.get_submodule(layer).train()
    torch.manual_seed(1)
    drawn = head(features.clone())
    torch.manual_seed(1)
    assert torch.equal(drawn, net(IMAGES))
    assert torch.equal(drawn, logits) != draws  # dropout, or batch statistics


class Tangled(nn.Module):
    """Its head looks at the images again, past the features."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 5)

    def forward(self, images):
        return self.fc(self.pool(self.body(images)).flatten(1)) + images.mean()


class Drawing(Tangled):
    """Its head draws between its layers, outside of any of them."""

    def forward(self, images):
        features = self.pool(self.body(images)).flatten(1)
        return self.fc(nn.functional.dropout(features, 0.5, self.fc.training))


class Squeezed(nn.Sequential):
    """Ends with what is no layer."""

    def forward(self, images):
        return super().forward(images).flatten(1)


@pytest.mark.parametrize(
    "net",
    [
        Tangled(),
        Drawing(),
        Squeezed(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.AdaptiveAvgPool2d(1)),
    ],
)
def test_a_head_that_needs_more_than_features_is_recognised(net):
    assert head_layers(net, IMAGES) == []
