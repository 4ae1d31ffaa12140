"""Divide weights, gradients and optimizer state among all processes (FSDP2).

Source: https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html;
Rajbhandari et al. 2020, "ZeRO", https://arxiv.org/abs/1910.02054, stage 3.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from imagelab.checkpoints import shards
from imagelab.checkpoints.durable import read_for_all, remove_unused_shards
from imagelab.training.sharded_state import read_parts, write_parts

SMALLEST = 100_000  # weights of a part that is gathered by itself; smaller ones go with what surrounds them


class Fsdp(ModelParallelStrategy):
    """Lightning's strategy: one group of all processes.

    Args:
        sharded: Whether each process writes its part of last.ckpt; best.ckpt is always whole.
    """

    def __init__(self, *, sharded: bool) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)
        self.sharded = sharded

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    @contextmanager
    def in_parts(self) -> Iterator[None]:
        """Let each process write its part of what is saved in this block, if that was chosen."""
        self._save_distributed_checkpoint = self.sharded
        try:
            yield
        finally:
            self._save_distributed_checkpoint = False

    def save_checkpoint(
        self, checkpoint: dict[str, Any], filepath: str | Path, storage_options: Any = None
    ) -> None:
        if not self._save_distributed_checkpoint:
            super().save_checkpoint(checkpoint, filepath, storage_options)
            return
        path = Path(self.broadcast(filepath))
        content = write_parts(checkpoint, path, self.broadcast(uuid.uuid4().hex))
        if self.is_global_zero:
            self.checkpoint_io.save_checkpoint(content, path)
            remove_unused_shards(path.parent)

    def load_checkpoint(
        self, checkpoint_path: str | Path, weights_only: bool | None = None
    ) -> dict[str, Any]:
        path = Path(self.broadcast(checkpoint_path))
        content = read_for_all(path)
        if shards.KEY not in content:
            return super().load_checkpoint(path, weights_only)
        assert self.model is not None
        read_parts(content, shards.folder_of(path, content), self.model, self.optimizers)
        return content


def in_parts(strategy: Strategy) -> AbstractContextManager[Any] | None:
    """A block in which checkpoints are written in parts, if the strategy does that; else None."""
    return strategy.in_parts() if isinstance(strategy, Fsdp) and strategy.sharded else None


def shard_when_started(module: LightningModule, strategy: Strategy) -> None:
    """Let a module divide its network once Lightning has started the processes; only for `Fsdp`.

    Args:
        module: Module with a `net`, and `groups` of the parameters in it.
        strategy: Strategy of the trainer.
    """
    if isinstance(strategy, Fsdp):
        # Lightning's hook for this, which it calls again for each stage of a run.
        module.configure_model = lambda: shard(module, strategy.device_mesh["data_parallel"])  # pyright: ignore[reportAttributeAccessIssue]


def shard(module: Any, mesh: Any) -> None:
    """Divide the network of a module, unless that is done, and put the new weights into its groups."""
    if isinstance(module.net, FSDPModule):
        return
    names = {id(weight): name for name, weight in module.net.named_parameters()}
    for part in [*_parts(module.net), module.net]:
        fully_shard(part, mesh=mesh)
    divided = dict(module.net.named_parameters())
    for group in module.groups:
        group["params"] = [divided[names[id(weight)]] for weight in group["params"]]


def load_weights(module: nn.Module, state: Mapping[str, Any]) -> None:
    """Load whole weights into a module, which may be divided."""
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.reshard()  # evaluation leaves parts whole
    if any(isinstance(weight, DTensor) for weight in module.parameters()):
        set_model_state_dict(module, dict(state), options=StateDictOptions(full_state_dict=True))
    else:
        module.load_state_dict(state)


def whole(value: Tensor) -> Tensor:
    """A number that was computed from divided weights, the same on all processes."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def _parts(net: nn.Module) -> Iterator[nn.Module]:
    """Children, or children of containers, that are large enough to be gathered one by one."""
    for child in net.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from _parts(child)
        elif sum(weight.numel() for weight in child.parameters()) >= SMALLEST:
            yield child


def all_finite(weights: list[Tensor]) -> bool:
    """Whether every number in these weights is finite, on all processes."""
    return bool(torch.stack([whole(weight.norm()) for weight in weights]).sum().isfinite())
