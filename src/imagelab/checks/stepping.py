"""Does every step use the rate of the schedule, and the mean gradient of all batches that belong to it?"""

import math
from typing import Any

from lightning import Callback

from imagelab.checks.findings import fact, found
from imagelab.checks.subject import Subject
from imagelab.checks.trial import LINE_SEARCH, Gradients, line_search, train
from imagelab.finding import Finding, grade
from imagelab.schedule import Linear

STEPS = 6
NEAR = 1e-3  # relative error of a rate
EVEN, FAR = 0.05, 0.5  # relative error of a gradient, from which the check warns and fails
WINDOWS = 3  # steps of several batches
TIGHT, CRUSHED = 1e-2, 1e-4  # share of a gradient that clipping leaves


class Rates(Callback):
    """Stores the rate of the first parameter group at each step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.values.append(float(optimizer.param_groups[0]["lr"]))


def schedule_steps(subject: Subject) -> Finding:
    """The rate of each step is that of a schedule which falls in a line, put in place of the run's own."""
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    seen = Rates()
    line = Linear(warmup=0, floor=0.0)
    copy = subject.copy()
    train(subject, copy, [subject.some(2)] * STEPS, callbacks=[seen], schedule=line)
    wanted = [line.scale(step, copy.step_plan) for step in range(STEPS)]
    if len(seen.values) < STEPS or not seen.values[0] > 0:
        return fact(None, "there are not enough steps to compare")
    shares = [value / seen.values[0] for value in seen.values]
    wrong = [step for step in range(STEPS) if abs(shares[step] - wanted[step]) > NEAR]
    why = "every step has the rate of its schedule"
    if wrong:
        twice = all(math.isclose(shares[step], max(0, 1 - 2 * step / STEPS), abs_tol=NEAR) for step in (1, 2))
        why = "the rate does not follow the schedule" + ": it moves twice as fast" * twice
        why += ": it never moves" if max(shares) - min(shares) < NEAR else ""
    return found(
        "FAIL" if wrong else "OK",
        ", ".join(f"{share:.2f}" for share in shares),
        expected=", ".join(f"{share:.2f}" for share in wanted) + " of the peak, on a line to 0",
        why=why,
        fix="step the scheduler exactly once for each step of the optimizer" if wrong else "",
    )


def accumulation(subject: Subject) -> Finding:
    """Several batches that are all the same make a step with the gradient of one, each time."""
    window = subject.cfg["trainer"]["accumulate_grad_batches"]
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    if window == 1:
        return fact(1, "each batch is a step of its own")
    one = _norms(subject, 1, 1)
    many = _norms(subject, window, WINDOWS)
    if len(many) < WINDOWS or not one[0] > 0:
        return fact(None, "there are no gradients to compare")
    ratio, growth = many[0] / one[0], many[-1] / many[0]
    away = max(abs(ratio - 1), abs(growth - 1))
    why = "gradients are averaged over the batches of a step, and cleared after it"
    if abs(growth - 1) > EVEN:
        why = "gradients of earlier steps are still there: call zero_grad after each step"
    elif abs(ratio - 1) > EVEN:
        why = f"{window} equal batches give {ratio:.3g} times the gradient of one"
    return found(
        grade(fail=away > FAR, warn=away > EVEN),
        f"{ratio:.3g} times the gradient of one batch, then {growth:.3g} times that",
        expected=f"1 and 1 within {EVEN:g}; FAIL beyond {FAR:g}",
        why=why,
        fix="divide the loss of each batch by the number of batches in a step, once" if away > EVEN else "",
    )


def clipping(subject: Subject) -> Finding:
    """Clipping leaves enough of a usual gradient."""
    limit = subject.cfg["trainer"].get("gradient_clip_val")
    if limit is None or subject.cfg["trainer"].get("gradient_clip_algorithm") == "value":
        return fact(None, "gradients are not clipped by their norm")
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    norm = _norms(subject, 1, 1)[0]
    share = limit / norm if norm > 0 else math.inf
    why = f"the first gradient has a norm of {norm:.3g}, and {limit:g} is left of it"
    return found(
        grade(fail=share < CRUSHED, warn=share < TIGHT),
        f"{min(1.0, share):.2g} of a gradient is left",
        expected=f">= {TIGHT:g}; FAIL below {CRUSHED:g}",
        why=why if share < 1 else "clipping leaves a usual gradient as it is",
        fix="set trainer.gradient_clip_val=1" if share < TIGHT else "",
    )


def _norms(subject: Subject, window: int, steps: int) -> list[float]:
    """The norm of the gradient at each step of `window` batches, all of the same images, at a rate of 0."""
    copy = subject.calm()
    watch = Gradients()
    for group in copy.groups:
        group["lr"] = 0.0
    batch = subject.some(max(2, subject.count // 2))
    train(subject, copy, [batch] * (window * steps), callbacks=[watch], window=window)
    return [math.sqrt(sum(v * v for v in step.values() if v == v)) for step in watch.steps]
