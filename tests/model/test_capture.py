"""What reaches a layer is caught, and the network stays as it was."""

import timm
import torch

from imagelab.model.capture import capturing, with_features
from imagelab.model.small_cnn import SmallCNN


def test_capturing_leaves_the_network_unchanged():
    net = SmallCNN(num_classes=3, in_channels=1, widths=[4, 8], kernel_size=3)
    net.compile(backend="eager")
    net.pool.eval()
    compiled, images = net._compiled_call_impl, torch.rand(2, 1, 8, 8)
    with capturing(net, "head") as seen:
        assert net._compiled_call_impl is None
        assert not any(layer.training for layer in net.modules())
        logits = net(images)
    assert net._compiled_call_impl is compiled
    assert [layer for layer in net.modules() if not layer.training] == [net.pool]
    torch.testing.assert_close(net.head(seen[0]), logits)
    net(images)
    assert len(seen) == 1


def test_features_are_what_the_last_layer_gets_whatever_its_shape():
    images = torch.rand(2, 3, 64, 64)
    for name, last in (("resnet10t", "fc"), ("vit_tiny_patch16_224", "head")):
        size = {"img_size": 64} if name.startswith("vit") else {}
        net = timm.create_model(name, num_classes=3, **size).eval()
        outputs, features = with_features(net, images)
        torch.testing.assert_close(net.get_submodule(last)(features), outputs)
    squeezed = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    torch.testing.assert_close(with_features(squeezed, images)[1], images.mean(dim=(2, 3)))
