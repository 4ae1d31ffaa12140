"""Train two small matrices beside each frozen weight, and the head: low-rank adaptation (LoRA).

Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685, section 4.1.
"""

from dataclasses import dataclass

from imagelab.finetune.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Lora(Strategy):
    """Weight = pretrained weight + alpha / rank * up @ down, of which only `up` and `down` train.

    Args:
        rank: Columns of `up` and rows of `down`, >= 1.
        alpha: Factor of the change, > 0; twice as much has the effect of a larger rate.
        targets: Parts of the names of the weights to adapt, such as [qkv, proj]; None: all weights before the
            head for which two matrices are smaller than the weight.
        adapter_rate: Rate of the matrices over `optimizer.lr`, which is that of the head, > 0.
    """

    adapts = True

    rank: int
    alpha: float
    targets: list[str] | None
    adapter_rate: float

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        return [*[None] * (stages - 1), 0]
