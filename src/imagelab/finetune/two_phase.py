"""Two phases: the new head alone first, then everything, the slower the farther from the head.

A head that knows nothing yet sends gradients that would spoil the features below it.

Source: Kumar et al. 2022, https://arxiv.org/abs/2202.10054, section 3.4 (linear probing, then fine-tuning).
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Unfreezing, expect_share, head_alone, started


@dataclass(frozen=True, kw_only=True)
class TwoPhase(Unfreezing):
    """All stages but the head begin to move at the same epoch.

    Args:
        head_epochs: How long only the head moves: share of the run in [0, 1), or a whole number of epochs.
    """

    head_epochs: float | int

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_share("head_epochs", self.head_epochs, "a share of the run", "epochs")

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        return [*[started(head_alone(self.head_epochs, epochs), epochs)] * (stages - 1), 0]
