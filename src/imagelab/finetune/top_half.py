"""The head first, then the upper half of the stages too: general features below stay as they are.

Source: Yosinski et al. 2014, https://arxiv.org/abs/1411.1792: the lower the layer, the more general.
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Unfreezing, expect_share, head_alone, started


@dataclass(frozen=True, kw_only=True)
class TopHalf(Unfreezing):
    """Of an odd number of stages before the head, the middle one moves.

    Args:
        head_epochs: How long only the head moves: share of the run in [0, 1), or a whole number of epochs.
    """

    head_epochs: float | int

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_share("head_epochs", self.head_epochs, "a share of the run", "epochs")

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        below = (stages - 1) // 2
        then = started(head_alone(self.head_epochs, epochs), epochs)
        return [*[None] * below, *[then] * (stages - 1 - below), 0]
