"""Compare the devices of the config with the processes that torchrun or srun started."""

from collections.abc import Iterator, Mapping
from typing import Any

from imagelab.config.launched import Launched
from imagelab.config.schema import Node

LAUNCHERS = {"torchrun": "torchrun", "slurm": "srun"}  # values of trainer.devices, and what has to start us
EXAMPLES = {
    "torchrun": "torchrun --standalone --nproc-per-node=gpu -m imagelab.train trainer=torchrun ...",
    "srun": "srun --nodes=1 --ntasks-per-node=2 imagelab train trainer=slurm ...",
}


def clashes(trainer: Node, mine: Launched | None) -> Iterator[str]:
    """Sentences on each number of devices or machines that is not the one that was started.

    Args:
        trainer: The trainer's config.
        mine: The place of this process in its group; None: it was started alone.
    """
    chosen, nodes = trainer.get("devices"), trainer.get("num_nodes")
    starter = LAUNCHERS.get(str(chosen))
    if mine is None:
        if starter:
            yield (
                f"trainer.devices: {chosen} stands for processes that {starter} starts, but not this one; "
                f"say {EXAMPLES[starter]}, or trainer=ddp for all GPUs of this machine"
            )
        if isinstance(nodes, int) and nodes > 1:
            yield (
                f"trainer.num_nodes: {nodes} machines need processes on each of them; start them by torchrun "
                "or srun, with trainer=torchrun or trainer=slurm"
            )
        return
    if starter not in (None, mine.by):
        yield f"trainer.devices: {chosen} wants {starter}, but {mine.by} started this process; say auto"
    elif starter is None and _number(chosen) not in (None, mine.local_world):
        yield (
            f"trainer.devices: {chosen} for {_number(chosen)} process{'es' * (_number(chosen) != 1)} on each "
            f"machine, but {mine.by} started {mine.local_world}; leave it out, say trainer="
            f"{'torchrun' if mine.by == 'torchrun' else 'slurm'} or trainer.devices=auto"
        )
    if nodes not in (None, mine.nodes):
        yield f"trainer.num_nodes: {nodes}, but {mine.by} started processes on {mine.nodes}; leave it out"


def sharding(cfg: Node) -> str | None:
    """The strategy that divides the weights among processes, by its short name; None: each has them whole.

    >>> sharding({"trainer": {"strategy": {"_target_": "imagelab.training.fsdp.Fsdp"}}})
    'fsdp'
    """
    strategy = cfg["trainer"].get("strategy")
    name = strategy.get("_target_", "") if isinstance(strategy, Mapping) else strategy
    short = str(name).rpartition(".")[2].lower()
    return short if any(kind in short for kind in ("fsdp", "deepspeed", "modelparallel")) else None


def started(cfg: Node, mine: Launched | None) -> Iterator[str]:
    """The clashes of a config with how this process was started, or will be by its launcher.

    Args:
        cfg: Config of a run.
        mine: The place of this process in its group; None: it was started alone.
    """
    launcher = launcher_of(cfg)
    if "jobs" in launcher and mine and mine.world > 1:
        yield (
            f"launcher: starts processes of its own, but {mine.by} has started {mine.world}, which all work "
            f"on one trial after the other; leave it out, or type the command without {mine.by}"
        )
    else:
        yield from clashes(cfg["trainer"], _of_job(launcher) if is_job(cfg) else mine)


def launcher_of(cfg: Node) -> Node:
    """The launcher's config; empty for a config of a single run that has none."""
    return ({"launcher": {}} | cfg)["launcher"]


def is_job(cfg: Node) -> bool:
    """Whether the launcher submits a run as a job, instead of starting it here."""
    return "processes" in launcher_of(cfg)


def _of_job(launcher: Node) -> Launched | None:
    """The place of the first process of a job that a launcher submits; None: it is the only one."""
    local = launcher["processes"]
    world = launcher["processes"] * launcher["nodes"]
    first = Launched(by="srun", rank=0, world=world, local_rank=0, local_world=local, node=0)
    return first if world > 1 else None


def _number(chosen: Any) -> int | None:
    """Devices per machine; None: as many as there are."""
    if isinstance(chosen, list):
        return len(chosen)
    if isinstance(chosen, str) and "," in chosen:
        return len(chosen.split(","))
    text = str(chosen)
    return int(text) if text.isdigit() else None
