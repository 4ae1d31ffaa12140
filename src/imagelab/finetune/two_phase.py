"""Train the new head alone first, then everything, more slowly the farther from the head.

Source: Kumar et al. 2022, https://arxiv.org/abs/2202.10054, section 3.4 (linear probing, then fine-tuning).
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import HeadFirst


@dataclass(frozen=True, kw_only=True)
class TwoPhase(HeadFirst):
    """Unfreeze all stages below the head in the same epoch."""

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        return [*[self.joined(epochs)] * (stages - 1), 0]
