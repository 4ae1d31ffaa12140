"""Define a schedule: the factor on every group's peak rate, a pure function of the optimizer step.

The steps of a run are counted 0 ... total - 1. With w steps of warm-up, step s < w runs at (s + 1) / (w + 1)
of the rate with which the curve begins. The curve covers the other steps with t = (s - w) / (total - w): 0 at
its first, one step short of 1 at its last, so that no step is lost at a rate of 0 (as torch's
CosineAnnealingLR). `OneCycle` alone reaches its end on the last step, as torch's OneCycleLR does.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from imagelab.training.step_plan import StepPlan

History = Sequence[Mapping[str, float]]


class Progress(NamedTuple):
    """The progress of a run at one step.

    t: Completed share of the steps after warm-up, in [0, 1]. e: Epochs since warm-up, fractional.
    step, steps: Completed and total number of steps after warm-up. run: Completed share of the whole run,
    in [0, 1]. epoch: Epochs since the start of the run, fractional. history: The metrics of each epoch.
    """

    t: float
    e: float
    step: int
    steps: int
    run: float
    epoch: float
    history: History


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """A curve with a linear warm-up and a floor; a subclass defines only the curve.

    Args:
        warmup: Share of the run in [0, 1), or a whole number of optimizer steps >= 1.
        floor: Lowest factor of the curve, in [0, 1]: the factor is floor + (1 - floor) * curve.
    """

    warmup: float | int
    floor: float

    @abstractmethod
    def curve(self, at: Progress) -> float:
        """The factor before floor and warm-up, >= 0; 1 is the peak."""

    def scale(self, step: int, step_plan: StepPlan, history: History = ()) -> float:
        """The factor on the peak rate at this optimizer step, >= 0.

        Args:
            step: Optimizer steps done before this one; the last of a run is step_plan.total - 1.
            step_plan: The steps of the run.
            history: The metrics of each epoch that is done.
        """
        warmup = self.warmup_steps(step_plan.total)
        at = _progress(max(step, warmup), warmup, step_plan, history)
        ramp = (step + 1) / (warmup + 1) if step < warmup else 1.0
        return ramp * (self.floor + (1 - self.floor) * self.curve(at))

    def share(self, step: int, step_plan: StepPlan) -> float:
        """The t of the curve at this step: the completed share of the steps after warm-up, in [0, 1]."""
        warmup = self.warmup_steps(step_plan.total)
        return _progress(max(step, warmup), warmup, step_plan, ()).t

    def warmup_steps(self, total_steps: int) -> int:
        """The number of warm-up steps in a run of `total` optimizer steps."""
        return round(self.warmup * total_steps) if self.warmup < 1 else int(self.warmup)


def _progress(step: int, warmup: int, step_plan: StepPlan, history: History) -> Progress:
    steps = max(step_plan.total - warmup, 1)
    done = min(step - warmup, steps)
    epoch = step_plan.epoch(step)
    return Progress(
        t=done / steps,
        e=epoch - step_plan.epoch(warmup),
        step=done,
        steps=steps,
        run=min(step / step_plan.total, 1.0),
        epoch=epoch,
        history=history,
    )
