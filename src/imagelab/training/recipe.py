"""Keep the recipe of a run if another number of processes resumes it: the same images form each step."""

from typing import Any

from torch import Tensor

from imagelab.config.schema import Node
from imagelab.data.image_data import ImageData
from imagelab.problem import Problem
from imagelab.terminal import screen
from imagelab.training.step_plan import StepPlan

COUNTS = ("correct",)  # what is added up over the ranks; anything else is a mean


def recipe(plan: StepPlan, ranks: int) -> dict[str, int]:
    """What must not change in a run: `batch`, images per batch over all ranks, and `steps`, of the whole run.

    Args:
        plan: Step plan of the run.
        ranks: Number of processes.
    """
    return {"batch": plan.images, "ranks": ranks, "steps": plan.total}


def keep_batch(known: Node | None, data: ImageData, ranks: int) -> None:
    """Give each rank an equal share of the batch that a run began with.

    Args:
        known: Card of the checkpoint to resume from; None for a new run.
        data: Data of the run.
        ranks: Number of processes now.

    Raises:
        Problem: The batch has no equal shares.
    """
    then = (known or {}).get("recipe")
    if then is None or then["ranks"] == ranks:
        return
    batch, before = then["batch"], then["ranks"]
    if batch % ranks:
        fits = ", ".join(str(n) for n in range(1, 2 * max(before, ranks) + 1) if batch % n == 0)
        raise Problem(
            f"This run began with {_processes(before)} and {batch} images per batch, which {ranks} processes "
            f"cannot share equally; start one of {fits} processes."
        )
    data.batch_size = batch // ranks
    data.full_batch = False
    screen.say(
        f"Processes: {before} before, {ranks} now, so data.batch_size is {batch // ranks} instead of "
        f"{batch // before}: {batch} images per batch as before."
    )


def refuse_other_steps(known: Node, plan: StepPlan, ranks: int) -> None:
    """Raise a Problem if a resumed run would have another number of steps than it began with."""
    then = known.get("recipe")
    now = recipe(plan, ranks)
    if then and then["steps"] != now["steps"]:
        raise Problem(
            f"This run began with {then['steps']} steps of {then['batch']} images and would end with "
            f"{now['steps']} of {now['batch']}; start {_processes(then['ranks'])}, as at its beginning."
        )


def share_of_rank(records: dict[str, Tensor], rank: int, ranks: int) -> dict[str, Tensor]:
    """The share that a rank takes of the records in a checkpoint, each (ranks at that time, ...).

    If the number of ranks has changed, each takes the mean of the losses, the first also the sum of counts.
    """
    return {name: _share(name, values, rank, ranks) for name, values in records.items()}


def _processes(count: int) -> str:
    return f"{count} process{'es' * (count != 1)}"


def _share(name: str, values: Tensor, rank: int, ranks: int) -> Any:
    if len(values) == ranks:
        return values[rank]
    if name in COUNTS:
        return values.sum(dim=0) * (rank == 0)
    return values.mean(dim=0)
