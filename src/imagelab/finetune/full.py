"""Train all stages at one small rate (full fine-tuning).

Source: Kornblith et al. 2019, https://arxiv.org/abs/1805.08974, appendix A.5: the best rates are one to two
orders of magnitude below those from scratch.
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Full(Strategy):
    """Scale all rates; the head of all other strategies trains at `optimizer.lr`, the rate from scratch.

    Args:
        scale: Factor on the rate of all stages, in (0, 1].
        head_rate: The same for the head alone, in (0, 1]; None: `scale`.
    """

    scale: float
    head_rate: float | None

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        return [0] * stages

    def factor(self, distance: int, stages: int) -> float:
        return self.scale if distance or self.head_rate is None else self.head_rate
