"""On a GPU, no augmentation lets the host wait for the device: shown with tensors that claim to be there."""

from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from imagelab.build import make
from imagelab.randomness import _counters
from tests.augment.test_every import MIXING, SINGLE, node

SETTINGS = {"color_jitter": {"hue": 0.1}, "random_erasing": {"fill": "mean"}}


class Waits(TorchDispatchMode):
    """Records what needs an answer of the device, or copies from the host and waits for that."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result, kwargs = func(*args, **(kwargs or {})), kwargs or {}
        name = func.overloadpacket.__name__
        devices = {one.device.type for one in args if isinstance(one, torch.Tensor)}
        copied = name == "_to_copy" and result.device.type not in devices and not kwargs.get("non_blocking")
        if copied or name in ("_linalg_check_errors", "_local_scalar_dense", "nonzero", "masked_select"):
            self.found.append(name)
        return result


def waits(work: Any) -> list[str]:
    """What `work` does that makes the host wait; asking a fake tensor for its values raises."""
    _counters.cache_clear()
    try:
        # cuDNN's functions have no fakes.
        with torch.backends.cudnn.flags(enabled=False), Waits() as recorded, FakeTensorMode():
            work()
    finally:
        _counters.cache_clear()  # what was cached is fake
    return recorded.found


def on_gpu(channels: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.empty(8, channels, 32, 32, dtype=torch.uint8, device="cuda")
    return images, torch.arange(8, device="cuda")


@pytest.mark.parametrize("choice", SINGLE)
def test_the_host_never_waits_for_a_batch_to_be_augmented(choice: str) -> None:
    augment = make(node(choice) | SETTINGS.get(choice, {}))

    def work() -> None:
        images, keys = on_gpu()
        assert augment.batch(images, keys).device.type == "cuda"

    assert waits(work) == []


@pytest.mark.parametrize("choice", MIXING)
def test_the_host_never_waits_for_a_batch_to_be_mixed(choice: str) -> None:
    def work() -> None:
        images, _ = on_gpu()
        targets = torch.zeros(8, 5, device="cuda")
        make(node(choice)).mix(images.float(), targets, np.random.default_rng(0))

    assert waits(work) == []


def test_waits_are_recorded() -> None:
    assert waits(lambda: torch.linalg.inv(torch.empty(2, 2, device="cuda"))) == ["_linalg_check_errors"]
    assert waits(lambda: torch.tensor([1.0, 2.0]).to("cuda")) == ["_to_copy"]
    with pytest.raises(Exception, match="nonzero"):
        waits(lambda: torch.arange(3, device="cuda").nonzero())
    with pytest.raises(Exception, match="_local_scalar_dense"):
        waits(lambda: torch.arange(3, device="cuda").sum().item())
