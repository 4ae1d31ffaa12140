"""Train all stages at once, each at a lower rate the farther it is from the head (discriminative rates).

Source: Howard & Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.2; for vision transformers: Bao et
al. 2021, https://arxiv.org/abs/2106.08254, appendix, "layer decay".
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Discriminative(Strategy):
    """Rate of a stage = lr * decay^(distance from the head).

    Args:
        decay: Rate of a stage divided by the rate of the next stage, in (0, 1].
    """

    decay: float

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        return [0] * stages

    def factor(self, distance: int, stages: int) -> float:
        return self.decay**distance
