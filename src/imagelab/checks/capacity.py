"""Can the network memorise a larger sample, and does a larger network reach a lower training loss?

Source: Karpathy 2019, https://karpathy.github.io/2019/04/25/recipe/, "overfit".
"""

import math
from dataclasses import dataclass
from typing import Any

from imagelab.checks.chance import levels
from imagelab.checks.findings import NO_CLASSES, fact, found, left_out
from imagelab.checks.subject import Subject
from imagelab.checks.trial import LINE_SEARCH, line_search, train
from imagelab.classifier import Classifier
from imagelab.finding import Finding
from imagelab.model.network import build_net
from imagelab.optimizer.build import build_optimizer

STEPS, SHORTEST = 150, 60  # steps of the larger sample
EARLY, COMPARED = 20, 40  # steps of two widths; after COMPARED, neither network has memorised everything
LEARNT, SURE, CHANCE = 0.3, 0.15, 0.95  # shares of what there is to learn; SURE ends the training
WIDTHS = ("width", "widths")  # names of a network's size


def larger_sample(subject: Subject) -> Finding:
    """The network memorises a larger sample, too, so it is large enough to start with."""
    steps = min(STEPS, subject.afford(len(subject.unchanged.labels)))
    if (without := _without(subject, steps, SHORTEST)) is not None:
        return without
    level = levels(subject)
    sample = [subject.unchanged] * steps
    until = level.at(SURE)
    losses = train(subject, subject.calm(), sample, warmup=10, until=until)
    end = sum(losses[-5:]) / 5
    if not math.isfinite(end) or end > level.at(CHANCE):
        status, why = "WARN", "nothing is learnt: see the check overfit one batch"
    else:
        status = "OK" if end < level.at(LEARNT) else "WARN"
        why = (
            "the network memorises a sample four times as large"
            if status == "OK"
            else "the network learns the sample slowly or only in part"
        )
    return found(
        status,
        f"loss {end:.3g} after {len(losses)} steps on {len(subject.unchanged.labels)} images",
        expected=f"below {level.at(LEARNT):.3g}, where {level.chance:.3g} is chance level",
        why=why,
        fix="" if status == "OK" else "try a larger network or a higher optimizer.lr",
    )


def larger_network(subject: Subject) -> Finding:
    """A network of twice the width reaches a lower training loss in the same number of steps."""
    steps = min(COMPARED, subject.afford(len(subject.unchanged.labels)) // 4)
    if (without := _without(subject, steps, COMPARED, runs=4)) is not None:
        return without
    knob = next((name for name in WIDTHS if subject.cfg["model"].get(name)), None)
    if knob is None or subject.cfg["finetune"]:
        return fact(None, "the network has no width to double; train two sizes and compare them")
    for taken in (EARLY, COMPARED):  # the shorter training tells where the difference is clear
        compared = _compared(subject, knob, taken)
        if compared.lower:
            break
    known = max(compared.one, compared.two) < levels(subject).at(0.1)
    good = compared.lower or known
    return found(
        "OK" if good else "WARN",
        f"{compared.one:.3g} -> {compared.two:.3g}",
        expected=f"lower by more than two deviations between seeds, {2 * compared.spread:.2g}",
        why=f"mean loss over {taken} steps with {knob}={subject.cfg['model'][knob]} and with twice that"
        + ("" if good else ": width does not limit it"),
        fix="" if good else "look at the rate and the images first: a larger network gains little",
    )


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The mean loss of the network and of one of twice the width, over two seeds, and their deviation."""

    one: float
    two: float
    spread: float

    @property
    def lower(self) -> bool:
        """Whether the wider network's loss is lower by more than chance."""
        return self.one - self.two > 2 * self.spread


def _compared(subject: Subject, knob: str, steps: int) -> Compared:
    size = subject.cfg["model"][knob]
    double = [2 * one for one in size] if isinstance(size, list) else 2 * size
    ones, twos = ([_mean(subject, {knob: value}, seed, steps) for seed in (0, 1)] for value in (size, double))
    spread = max(abs(ones[0] - ones[1]), abs(twos[0] - twos[1])) / 2
    return Compared(one=sum(ones) / 2, two=sum(twos) / 2, spread=spread)


def _without(subject: Subject, steps: int, shortest: int, runs: int = 1) -> Finding | None:
    if subject.task is None:
        return fact(None, NO_CLASSES)
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    if steps < shortest:
        return left_out(subject, shortest, len(subject.unchanged.labels), runs)
    return None


def _mean(subject: Subject, size: dict[str, Any], seed: int, steps: int) -> float:
    losses = train(subject, _sized(subject, size, seed), [subject.unchanged] * steps, warmup=10)
    return sum(losses) / len(losses) if len(losses) == steps else math.inf


def _sized(subject: Subject, size: dict[str, Any], seed: int) -> Classifier:
    """The module with a network of another size, without regularisation."""
    data = subject.data
    copy = subject.calm()
    node = subject.cfg["model"] | size | {"dropout": None, "dropout2d": None, "stochastic_depth": None}
    more = {"seed": seed, "sample": data.sample, "signals": data.preprocess.signals}
    copy.net = build_net(node, data.classes, data.in_channels, data.size, **more)
    optimizer = subject.cfg["optimizer"] | (
        {"weight_decay": 0.0} if "weight_decay" in subject.cfg["optimizer"] else {}
    )
    copy.make_optimizer, copy.groups = build_optimizer(optimizer, copy.net, data.batch(1))
    return copy
