"""The terms that penalties add to the loss, each recorded apart, and whether they are in balance.

A term is the same for every batch of a step and on every rank: the gradient of the mean of (loss + term) is
that of (mean loss) + term, with accumulation and with several processes.
"""

from collections.abc import Iterator

from torch import Tensor, nn

from imagelab.contracts import Penalty
from imagelab.terminal import screen
from imagelab.training.loss_record import LossRecord

FAR = 100  # between the sizes of two terms: the smaller one hardly counts


class LossTerms:
    """What is added to the loss of the data, a record for each term.

    Args:
        penalties: By the names of their tricks.
        window: How many batches a logged value is averaged over.
    """

    def __init__(self, *, penalties: dict[str, Penalty], window: int) -> None:
        self.penalties = penalties
        self.records = {name: LossRecord(window=window) for name in penalties}
        self.warned = False

    def of(self, net: nn.Module, *, record: bool) -> Iterator[Tensor]:
        """Each term of this step, a scalar; `record`: kept, without looking at it."""
        for name, trick in self.penalties.items():
            term = trick.penalty(net)
            if record:
                self.records[name].add(term)
            yield term

    def running(self) -> dict[str, float]:
        """Mean of each term over the last logged window, by the name of its metric."""
        return {f"train/{name}": record.running() for name, record in self.records.items()}

    def end_epoch(self) -> dict[str, float]:
        """Mean of each term over the epoch, by the name of its metric; a new epoch begins."""
        means = {f"train/{name}_epoch": record.epoch_mean() for name, record in self.records.items()}
        for record in self.records.values():
            record.end_epoch()
        return means

    def weigh(self, loss: float) -> None:
        """Say once when one part of the loss, of which `loss` is that of the data, outweighs another."""
        if self.penalties and not self.warned:
            sentence = imbalance({"train/loss": loss} | self.running(), self.penalties)
            self.warned = bool(sentence)
            screen.say(*[sentence] if sentence else [])

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint inside an epoch needs."""
        return {
            f"{name}.{key}": value
            for name, record in self.records.items()
            for key, value in record.state_dict().items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on where `state_dict` was taken."""
        for name, record in self.records.items():
            record.load_state_dict({key: state[f"{name}.{key}"] for key in ("epoch", "recent")})


def imbalance(sizes: dict[str, float], penalties: dict[str, Penalty]) -> str | None:
    """The sentence on two parts of a loss that are far apart, None where there are none.

    Args:
        sizes: Of the parts of the loss, by the names of their metrics.
        penalties: By the names of their tricks.
    """
    ranked = sorted((abs(size), name) for name, size in sizes.items() if size)
    if not ranked or ranked[-1][0] <= FAR * ranked[0][0]:
        return None
    (small, least), (large, most) = ranked[0], ranked[-1]
    change = [
        f"{verb} trick.{name}.strength ({penalties[name].strength:g})"
        for verb, name in (("lower", most.removeprefix("train/")), ("raise", least.removeprefix("train/")))
        if name in penalties
    ]
    return (
        f"{most} ({large:.3g}) is {large / small:,.0f} times as large as {least} ({small:.3g}), which may "
        f"hardly count beside it: {' or '.join(change)}."
    )
