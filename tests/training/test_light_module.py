import sys
from typing import Any

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader

from imagelab.training.devices import profiler
from imagelab.training.light_module import NAME_OF_HOOK, LightModule, Unprofiled


class Plain(lightning.LightningModule):
    """Trains two numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return (self.weight * batch).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Light(Plain, LightModule):
    """The same."""


def calls(module: lightning.LightningModule, **settings: Any) -> int:
    """Calls of Python functions in an epoch of 20 steps."""
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    count = [0]

    def see(_: object, event: str, __: object) -> None:
        count[0] += event == "call"

    sys.setprofile(see)
    try:
        trainer.fit(module, DataLoader(torch.ones(20, 2), batch_size=None))  # pyright: ignore[reportArgumentType]
    finally:
        sys.setprofile(None)
    return count[0]


def test_a_step_calls_fewer_functions_and_trains_the_same():
    calls(Plain())  # imports
    plain, light = Plain(), Light()
    usual, few = calls(plain), calls(light, **profiler({}))
    assert usual - few > 20 * 150  # per step, without any callback
    assert torch.equal(plain.weight, light.weight)
    torch.testing.assert_close(light.weight.detach(), torch.full((2,), 1 - 20 * 0.1))


def test_layers_and_names_of_hooks_are_kept():
    light = Light()
    light.layer = nn.Linear(2, 3)
    setattr(light, NAME_OF_HOOK, "training_step")
    assert getattr(light, NAME_OF_HOOK) == "training_step"
    assert NAME_OF_HOOK in vars(lightning.LightningModule())  # a rename in Lightning would make this useless
    assert set(dict(light.named_parameters())) == {"weight", "layer.weight", "layer.bias"}


def test_a_profiler_that_is_named_is_used():
    assert profiler({"profiler": "simple"}) == {}
    assert isinstance(profiler({})["profiler"], Unprofiled)


def test_a_batch_for_a_cpu_stays_where_it_is():
    batch = (torch.ones(2), [torch.zeros(1)])
    assert Light().transfer_batch_to_device(batch, torch.device("cpu"), 0) is batch
    moved = Light().transfer_batch_to_device(batch, torch.device("meta"), 0)
    assert moved[0].device.type == "meta"
