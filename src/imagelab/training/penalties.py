"""Add the terms of penalties to the loss, record each separately, and warn if they are out of balance.

A term is the same for every batch of a step and on every rank: the gradient of the mean of (loss + term) is
that of (mean loss) + term, with accumulation and with several processes.
"""

from collections.abc import Iterator

from torch import Tensor, nn

from imagelab.contracts import Penalty
from imagelab.terminal import screen
from imagelab.training.loss_record import LossRecord

FAR = 100  # ratio of two terms above which the smaller one hardly matters


class LossTerms:
    """The terms added to the data loss, with a record for each.

    Args:
        penalties: Penalties by the name of their trick.
        window: Number of batches that a logged value is averaged over.
    """

    def __init__(self, *, penalties: dict[str, Penalty], window: int) -> None:
        self.penalties, self.window = penalties, window
        self.records = {name: LossRecord(window=window) for name in penalties}
        self.warned = False

    def emptied(self) -> "LossTerms":
        """The same terms with empty records."""
        terms = LossTerms(penalties=self.penalties, window=self.window)
        terms.records = {
            name: LossRecord(window=self.window) for name in self.records
        }  # also those of tricks
        return terms

    def of(self, net: nn.Module, *, record: bool) -> Iterator[Tensor]:
        """Compute the terms of this step, scalars; `record`: whether to record them, without reading them."""
        for name, trick in self.penalties.items():
            term = trick.penalty(net)
            if record:
                self.records[name].add(term)
            yield term

    def running(self) -> dict[str, float]:
        """Mean of each term over the last logged window, by the name of its metric."""
        return {f"train/{name}": record.running() for name, record in self.records.items()}

    def end_epoch(self) -> dict[str, float]:
        """Mean of each term over the epoch, by the name of its metric; starts a new epoch."""
        means = {f"train/{name}_epoch": record.epoch_mean() for name, record in self.records.items()}
        for record in self.records.values():
            record.end_epoch()
        return means

    def weigh(self, loss: float) -> None:
        """Warn once if one part of the loss outweighs another; `loss`: the part from the data."""
        if self.penalties and not self.warned:
            terms = {f"train/{name}": self.records[name].running() for name in self.penalties}
            sentence = imbalance({"train/loss": loss} | terms, self.penalties)
            self.warned = bool(sentence)
            screen.say(*[sentence] if sentence else [])

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint within an epoch."""
        return {
            f"{name}.{key}": value
            for name, record in self.records.items()
            for key, value in record.state_dict().items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue where `state_dict` was taken."""
        for name, record in self.records.items():
            record.load_state_dict({key: state[f"{name}.{key}"] for key in ("epoch", "recent")})


def imbalance(sizes: dict[str, float], penalties: dict[str, Penalty]) -> str | None:
    """Return a sentence if two parts of the loss differ greatly in size, else None.

    Args:
        sizes: Size of each part of the loss, by the name of its metric.
        penalties: Penalties by the name of their trick.
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
        f"{most} ({large:.3g}) is {large / small:,.0f} times {least} ({small:.3g}), so {least} may "
        f"hardly matter: {' or '.join(change)}."
    )
