"""Train the head, then unfreeze one more stage every few epochs, from the top down (gradual unfreezing).

Source: Howard & Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.3.
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Unfreezing, started


@dataclass(frozen=True, kw_only=True)
class Gradual(Unfreezing):
    """Unfreeze stages one by one; those that a run is too short for stay frozen.

    Args:
        every: Time from one stage to the next: fraction of the run in (0, 1), or whole number of epochs >= 1.
    """

    every: float | int

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        every = self.every * epochs if self.every < 1 else self.every
        return [started(round(every * distance), epochs) for distance in reversed(range(stages))]
