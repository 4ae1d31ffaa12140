"""Train only the head, on the features of the frozen network (linear probe).

Source: Kornblith et al. 2019, https://arxiv.org/abs/1805.08974, section 3.
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class LinearProbe(Strategy):
    """Train the head from the first epoch on, and nothing else.

    Args:
        views: Number of views per training image whose features are computed once. 1: the image without
            augmentation. n: as augmented in the first n epochs; epoch e uses view e modulo n. None: the
            frozen network runs in every epoch if images are augmented, and once if they are not.
    """

    views: int | None

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        return [*[None] * (stages - 1), 0]
