"""Keep an exponential moving average (EMA) of the weights, updated after every optimizer step.

The decay warms up, min(decay, (1 + n) / (10 + n)) at the n-th update, so that the average also works in short
runs. BatchNorm statistics are averaged like the weights, as in timm.

Source: Polyak & Juditsky 1992, https://doi.org/10.1137/0330046; the warm-up:
https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage; the statistics:
https://github.com/huggingface/pytorch-image-models/blob/main/timm/utils/model_ema.py
"""

from lightning import Trainer
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from imagelab.trick.weight_average import WeightAverage


class EMA(WeightAverage):
    """Averaged weights, evaluated as `val_ema/...`; the better of both sets of weights is the run's result.

    Args:
        decay: Weight of the old average in an update, in [0, 1); about 1 / (1 - decay) steps are averaged.
    """

    averages_weights = "ema"
    averages_from_start = True

    def __init__(self, *, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def is_due(self, trainer: Trainer, batch_idx: int) -> bool:
        return True

    def blend(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        get_ema_multi_avg_fn(decay_at(self.updates, self.decay))(averaged, current, self.updates)


def decay_at(update: int, decay: float) -> float:
    """The decay of update number `update`, >= 1: update 0 just copies the weights.

    >>> decay_at(1, 0.999), decay_at(90, 0.999), decay_at(10**6, 0.999)
    (0.18181818181818182, 0.91, 0.999)
    """
    return min(decay, (1 + update) / (10 + update))
