"""Gradual unfreezing: the head, then one stage more every few epochs, from the top down.

Source: Howard & Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.3.
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Unfreezing, expect_share, started


@dataclass(frozen=True, kw_only=True)
class Gradual(Unfreezing):
    """What a run is too short for never moves.

    Args:
        every: From one stage to the next: share of the run in (0, 1), or a whole number of epochs >= 1.
    """

    every: float | int

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_share("every", self.every, "a share of the run above 0 and", "epochs", zero=False)

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        every = self.every * epochs if self.every < 1 else self.every
        return [started(round(every * distance), epochs) for distance in reversed(range(stages))]
