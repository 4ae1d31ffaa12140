"""Whether a network fits the images and the classes."""

import pytest
import torch
from torch import nn

from imagelab.model.logits import check_logits
from imagelab.model.torchvision import torchvision_model
from imagelab.problem import Problem


def test_a_network_that_fits_passes_and_is_unchanged():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 5)
    )
    net[1].eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    draws = torch.get_rng_state()
    check_logits(net, num_classes=5, in_channels=3, size=8)
    assert [layer.training for layer in net] == [True, False, True, True, True]
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), draws)


def test_images_that_are_too_small_are_refused():
    net = torchvision_model(name="alexnet", pretrained=False, num_classes=5, in_channels=3, size=8)
    with pytest.raises(
        Problem, match=r"AlexNet cannot take images of 3 x 8 x 8 \(.*\)\. Try a larger data\.size"
    ):
        check_logits(net, num_classes=5, in_channels=3, size=8)


@pytest.mark.parametrize("net", [nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), nn.Conv2d(3, 5, 1)])
def test_outputs_that_are_not_logits_of_these_classes_are_refused(net):
    with pytest.raises(Problem, match=r"for one image, not logits \(1, 5\)"):
        check_logits(net, num_classes=5, in_channels=3, size=8)
