"""Linear probe: the network as it is makes features, and only the head on top of them is trained.

Source: Kornblith et al. 2019, https://arxiv.org/abs/1805.08974, section 3.
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Strategy
from imagelab.problem import Problem


@dataclass(frozen=True, kw_only=True)
class LinearProbe(Strategy):
    """The head moves from the first epoch on, nothing else ever.

    Args:
        views: Of each training image, whose features are made once, before the first epoch. 1: the image as
            it is, not augmented. n: as the first n epochs would augment it; epoch e sees view e modulo n.
            None: the frozen network runs in every epoch if images are augmented, once if they are not.
    """

    views: int | None

    def __post_init__(self) -> None:
        if self.views is not None and self.views < 1:
            raise Problem(f"finetune.views: wants 1 view of each image or more, or null, got {self.views}")

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        return [*[None] * (stages - 1), 0]
