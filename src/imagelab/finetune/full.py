"""Train all stages at one small rate (full fine-tuning).

Source: Kornblith et al. 2019, https://arxiv.org/abs/1805.08974, appendix A.5: the best rates are one to two
orders of magnitude below those from scratch.
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Strategy
from imagelab.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Full(Strategy):
    """Scale all rates; in all other strategies the head trains at `optimizer.lr`, the rate from scratch.

    Args:
        scale: Factor on the rate of all stages, in (0, 1].
    """

    scale: float

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 1:
            raise Problem(f"finetune.scale: wants a factor above 0, up to 1, got {self.scale}")

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        return [0] * stages

    def factor(self, distance: int) -> float:
        return self.scale
