"""Measure where training time goes: loading, forward, backward, optimizer, validation, the rest.

Source: https://docs.pytorch.org/docs/stable/generated/torch.cuda.Event.html (a GPU runs asynchronously)
"""

import time
from itertools import pairwise
from typing import Any

import torch
from lightning import Callback, Trainer

IN_STEP = ("forward", "backward", "optimizer")
PHASES = ("loading", *IN_STEP, "validation")


class TimeSpent(Callback):
    """Add up seconds per phase, exactly on a CPU; on a GPU, phases within a step are sampled.

    On a GPU, one batch in `trainer.log_every_n_steps` is timed. It never waits for a GPU: events are read
    when the next ones are recorded. It must be the first callback.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self.batches = 0
        self.sampled: dict[str, float] = dict.fromkeys((*IN_STEP, "batches"), 0.0)
        self.events: list[tuple[str, Any]] = []
        self.mark = self.waiting = 0.0
        self.on_gpu = self.timed = False

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.waiting = time.perf_counter()  # a run resumed within an epoch does not start that epoch again
        self.on_gpu = trainer.strategy.root_device.type == "cuda"

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.waiting = time.perf_counter()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        now = time.perf_counter()
        self.seconds["loading"] += now - max(self.waiting, pl_module.batch_ended)
        self.batches += 1
        self.timed = self.on_gpu and batch_idx % trainer.log_every_n_steps == 0
        if self.timed:
            self._read_events()
        self.mark = now
        self._passed("start")

    def on_before_backward(self, trainer: Trainer, pl_module: Any, loss: Any) -> None:
        self._passed("forward")

    def on_after_backward(self, trainer: Trainer, pl_module: Any) -> None:
        self._passed("backward")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._passed("optimizer")

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.mark = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        self.seconds["validation"] += time.perf_counter() - self.mark
        self.waiting = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": dict(self.seconds), "batches": self.batches, "sampled": dict(self.sampled)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = dict(state_dict["seconds"])
        self.batches = state_dict["batches"]
        self.sampled = dict(state_dict["sampled"])

    def shares(self, total: float) -> dict[str, float]:
        """Seconds per phase, which add up to the whole training.

        Args:
            total: Training time in seconds.
        """
        return shares(self.state_dict(), total)

    def _passed(self, phase: str) -> None:
        if not self.on_gpu:
            now = time.perf_counter()
            if phase != "start":
                self.seconds[phase] += now - self.mark
            self.mark = now
        elif self.timed:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.events.append((phase, event))

    def _read_events(self) -> None:
        """Read the events of the previously timed step, which has long ended, and drop them."""
        events = self.events
        self.events = []
        if not events or not events[-1][1].query():
            return
        for (_, before), (phase, after) in pairwise(events):
            self.sampled[phase] += before.elapsed_time(after) / 1000
        self.sampled["batches"] += 1


def shares(state: dict[str, Any], total: float) -> dict[str, float]:
    """Seconds per phase, including "rest", from the state in a checkpoint.

    A GPU computes while data are loaded, so only loading time that computation does not hide counts.
    """
    seconds = dict(state["seconds"])
    sampled = state["sampled"]
    if sampled["batches"]:
        each = state["batches"] / sampled["batches"]
        seconds |= {phase: sampled[phase] * each for phase in IN_STEP}
        free = total - sum(seconds[phase] for phase in (*IN_STEP, "validation"))
        seconds["loading"] = min(seconds["loading"], max(0.0, free))
    rest = max(0.0, total - sum(seconds.values()))
    return {phase: round(value, 3) for phase, value in (seconds | {"rest": rest}).items()}
