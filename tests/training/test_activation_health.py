"""Statistics of layers against those computed by hand, and the problems found in them."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from imagelab.training import activation_health
from imagelab.training.activation_health import findings, layers_to_watch, numbers, watching
from imagelab.trick.gradient_noise_scale import signal_and_noise


def chain(std: float | None = None, layers: int = 10) -> nn.Sequential:
    """Convolutions without norm, drawn with this standard deviation; Kaiming's where None."""
    torch.manual_seed(0)
    net = nn.Sequential()
    for place in range(layers):
        conv = nn.Conv2d(16 if place else 3, 16, 3, padding=1)
        nn.init.kaiming_normal_(conv.weight) if std is None else nn.init.normal_(conv.weight, 0, std)
        nn.init.zeros_(conv.bias)
        net.extend([conv, nn.ReLU(inplace=True)])
    return net.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)])


def seen(net: nn.Module, most: int = 99) -> activation_health.Numbers:
    with watching(net, layers_to_watch(net, most)) as stats:
        net(torch.randn(16, 3, 8, 8))
    return numbers(stats)


def test_the_statistics_are_those_of_the_outputs_of_a_layer():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Flatten())
    net.extend([nn.Linear(288, 4)])
    with torch.no_grad():
        net[1].bias[:2] = -100  # never above 0 any more
    images = torch.randn(32, 3, 8, 8)
    with watching(net, ["0", "4"]) as stats:
        logits = net(images)
    found = numbers(stats)
    assert found["0"]["mean"] == pytest.approx(net[0](images).mean().item(), abs=1e-5)
    assert found["0"]["std"] == pytest.approx(net[0](images).std().item(), rel=1e-5)
    assert found["0"]["dead"] == 2 / 8
    assert found["4"] == pytest.approx({"mean": logits.mean().item(), "std": logits.std().item()}, abs=1e-5)
    assert not any(layer._forward_hooks for layer in net.modules())


@pytest.mark.parametrize(
    ("std", "status", "verb"), [(None, None, ""), (0.01, "FAIL", "shrink"), (0.5, "FAIL", "grow")]
)
def test_weights_that_start_too_small_or_too_large_are_reported(std, status, verb):
    found = findings(seen(chain(std)))
    assert [one.status for one in found] == ([status] if status else [])
    assert all(f"the outputs {verb}: the std of 18 is" in one.sentence for one in found)


def test_dead_units_are_reported_with_their_layer():
    net = chain()
    with torch.no_grad():
        net[4].bias[:6] = -1000
        net[8].bias[:] = -1000
    found = findings(seen(net))
    assert any(one.status == "FAIL" and one.sentence.startswith("100% of the units of 8") for one in found)
    with torch.no_grad():
        net[8].bias[:] = 0
    assert [(one.status, one.value) for one in findings(seen(net))] == [("WARN", 6 / 16)]


def test_gradients_and_updates_are_those_of_the_weights():
    net = chain(layers=2)
    before = activation_health.weights_of(net, ["0", "6"])
    net(torch.randn(16, 3, 8, 8)).square().mean().backward()
    gradients = activation_health.gradient_norms(net, ["0", "6"])
    torch.optim.SGD(net.parameters(), lr=0.1).step()
    ratios = activation_health.update_ratios(net, before)
    for name, gradient in gradients.items():
        weight = net.get_submodule(name).weight
        assert gradient.item() == pytest.approx(weight.grad.norm().item())
        assert ratios[name].item() == pytest.approx((0.1 * gradient / before[name].norm()).item(), rel=1e-4)


def test_in_deep_networks_the_first_the_last_and_some_layers_between_are_watched():
    assert layers_to_watch(chain(), most=4) == ["0", "6", "14", "22"]
    assert layers_to_watch(chain(layers=1), most=4) == ["0", "4"]
    assert list(seen(chain(), most=4)) == ["0", "6", "14", "22"]


def test_with_few_values_dead_units_are_not_reported():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    with watching(net, ["0"]) as stats:
        net(torch.randn(2, 4))
    assert "dead" not in stats["0"]


class WithoutDoubles(TorchDispatchMode):
    """Refuses float64, as MPS does."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype == torch.float64:
            raise TypeError("MPS has no float64")
        return result


def test_what_is_measured_on_the_device_needs_no_float64():
    with WithoutDoubles():
        found = numbers({"layer": {"mean": torch.tensor(0.5), "dead": torch.tensor(0.25).bfloat16()}})
        halves = [torch.tensor([3.0, 1.0])], [torch.tensor([3.0, -1.0])]
        assert signal_and_noise(*halves, images=8) == (8.0, 8.0)
        with pytest.raises(TypeError, match="float64"):
            torch.ones(1).double()
    assert found == {"layer": {"mean": 0.5, "dead": 0.25}}
