"""Train the head first, then the upper half of the stages too; the general features below stay frozen.

Source: Yosinski et al. 2014, https://arxiv.org/abs/1411.1792: the lower the layer, the more general.
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import HeadFirst


@dataclass(frozen=True, kw_only=True)
class TopHalf(HeadFirst):
    """Train the upper half of the stages; if their number is odd (without the head), the middle one, too."""

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        below = (stages - 1) // 2
        return [*[None] * below, *[self.joined(epochs)] * (stages - 1 - below), 0]
