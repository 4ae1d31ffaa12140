"""Train the first and the last layer first, for inputs and classes that are both new; then everything.

Source: the remarks on retraining the input and output layers of a published network in CS231n,
https://cs231n.github.io/transfer-learning/
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import HeadFirst


@dataclass(frozen=True, kw_only=True)
class Ends(HeadFirst):
    """Train the stem and the head at `optimizer.lr`; unfreeze all stages between them in the same epoch.

    Args:
        new: Whether the weights of the first and the last layer are drawn anew.
    """

    new: bool

    @property
    def draws_ends(self) -> bool:
        return self.new

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        middle = [self.joined(epochs)] * (stages - 2)
        return [*[0] * min(stages - 1, 1), *middle, 0]

    def factor(self, distance: int, stages: int) -> float:
        return 1.0 if distance == stages - 1 else super().factor(distance, stages)
