"""Leave out work of Lightning's in every step that nobody asked for; `docs/decisions/008-a-light-loop.md`."""

import inspect
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import lightning
import torch
from lightning.pytorch.profilers import PassThroughProfiler

NAME_OF_HOOK = "_current_fx_name"  # Lightning sets it around each of some 20 hooks per step


class LightModule(lightning.LightningModule):
    """A module whose bookkeeping costs little."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Keep the signature of the training step, which Lightning reads at every step."""
        super().__init_subclass__(**more)
        step: Any = cls.training_step
        step.__signature__ = inspect.signature(step)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the name of a hook without the search for parameters and layers."""
        if name == NAME_OF_HOOK:
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """A batch for a CPU is there already; to walk through it takes as long as a small layer."""
        return (
            batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)
        )


class Unprofiled(PassThroughProfiler):
    """Does nothing around some 60 actions per step, without a generator for each."""

    nothing = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.nothing
