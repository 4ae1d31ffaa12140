"""Write and read weights and optimizer state in parts, one file for each process, as safetensors.

Files of another number of processes are read, too: each process takes what is now its part. torch's default
format holds pickles, which could run code. The files lie on a disk that all machines see.
Source: https://docs.pytorch.org/docs/stable/distributed.checkpoint.html
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import distributed, nn
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from imagelab.checkpoints import shards

STATES, WEIGHTS = "optimizer_states", "state_dict"  # Lightning's keys


def write_parts(checkpoint: dict[str, Any], path: Path, name: str) -> dict[str, Any]:
    """Write what is divided beside a checkpoint; return the rest and the list of files. On all processes.

    Args:
        checkpoint: Content of the checkpoint, with divided weights and states.
        path: Path of the checkpoint.
        name: Name of a new folder for the files.
    """
    folder = path.parent / shards.PARTS / name
    folder.mkdir(parents=True, exist_ok=True)
    divided, rest = _split(checkpoint[WEIGHTS], checkpoint[STATES])
    save(divided, storage_writer=HuggingFaceStorageWriter(str(folder), save_distributed=True))
    mine = shards.measured(folder.glob(f"shard-{distributed.get_rank() + 1:05d}-*.safetensors"))
    all_files: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(all_files, mine)
    files = {file: numbers for found in all_files for file, numbers in found.items()}
    return checkpoint | rest | {shards.KEY: {"folder": name, "files": files}}


def read_parts(
    content: dict[str, Any], folder: Path, module: nn.Module, optimizers: Sequence[Optimizer]
) -> None:
    """Read weights and states into a divided module and its optimizers. On all processes.

    Args:
        content: The rest of the checkpoint.
        folder: Folder with the files.
        module: Module whose weights are divided among the processes that there are now.
        optimizers: Its optimizers.
    """
    weights: dict[str, Any] = get_model_state_dict(module)
    states: list[Any] = [get_optimizer_state_dict(module, optimizer) for optimizer in optimizers]
    divided, _ = _split(weights, states)
    load(divided, storage_reader=HuggingFaceStorageReader(str(folder)))
    module.load_state_dict(weights | content[WEIGHTS])
    for optimizer, state, rest in zip(optimizers, states, content[STATES], strict=True):
        merged = {name: found | rest["state"].get(name, {}) for name, found in state["state"].items()}
        set_optimizer_state_dict(
            module, optimizer, optim_state_dict={"state": merged, "param_groups": rest["param_groups"]}
        )


def _split(weights: Mapping[str, Any], states: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The divided tensors by one name each, and all else in its place."""
    divided = {f"weights/{name}": tensor for name, tensor in weights.items() if isinstance(tensor, DTensor)}
    rest: dict[str, Any] = {
        WEIGHTS: {name: tensor for name, tensor in weights.items() if not isinstance(tensor, DTensor)},
        STATES: [],
    }
    for number, state in enumerate(states):
        kept: dict[str, Any] = {}
        for weight, values in state["state"].items():
            for name, value in values.items():
                if isinstance(value, DTensor):
                    divided[f"optimizer {number}/{weight}/{name}"] = value
                else:
                    kept.setdefault(weight, {})[name] = value
        rest[STATES].append({"state": kept, "param_groups": state["param_groups"]})
    return divided, rest
