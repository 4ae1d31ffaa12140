"""Can the network memorise a larger sample, and does a larger network reach a lower training loss?

Source: Karpathy 2019, https://karpathy.github.io/2019/04/25/recipe/, "overfit".
"""

import math
from typing import Any

from imagelab.checks.chance import levels
from imagelab.checks.findings import NO_CLASSES, fact, found, left_out
from imagelab.checks.subject import Subject
from imagelab.checks.trial import LINE_SEARCH, line_search, train
from imagelab.classifier import Classifier
from imagelab.finding import Finding

STEPS, SHORTEST, COMPARED = 150, 60, 40  # steps; after COMPARED, neither network has memorised everything
LEARNT, CHANCE = 0.3, 0.95  # shares of what there is to learn
WIDTHS = ("width", "widths")  # names of a network's size


def larger_sample(subject: Subject) -> Finding:
    """The network memorises a larger sample, too, so it is large enough to start with."""
    steps = min(STEPS, subject.afford(len(subject.unchanged.labels)))
    if (without := _without(subject, steps, SHORTEST)) is not None:
        return without
    losses = train(subject, subject.calm(), [subject.unchanged] * steps, warmup=10)
    end = sum(losses[-5:]) / 5
    level = levels(subject)
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
        f"loss {end:.3g} after {steps} steps on {len(subject.unchanged.labels)} images",
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
    size = subject.cfg["model"][knob]
    double = [2 * one for one in size] if isinstance(size, list) else 2 * size
    losses = {}
    for name, value in (("one", size), ("two", double)):
        losses[name] = [_mean(subject, {knob: value}, seed, steps) for seed in (0, 1)]
    one, two = (sum(values) / 2 for values in losses.values())
    spread = max(abs(values[0] - values[1]) / 2 for values in losses.values())
    lower = one - two > 2 * spread
    known = max(one, two) < levels(subject).at(0.1)
    return found(
        "OK" if lower or known else "WARN",
        f"{one:.3g} -> {two:.3g}",
        expected=f"lower by more than two deviations between seeds, {2 * spread:.2g}",
        why=f"mean loss over {steps} steps with {knob}={size} and with twice that"
        + ("" if lower or known else ": width does not limit it"),
        fix="" if lower or known else "look at the rate and the images first: a larger network gains little",
    )


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
    from imagelab.model.network import build_net
    from imagelab.optimizer.build import build_optimizer

    data = subject.data
    copy = subject.calm()
    node = subject.cfg["model"] | size | {"dropout": None, "dropout2d": None, "stochastic_depth": None}
    copy.net = build_net(node, data.classes, data.in_channels, data.size, seed=seed, sample=data.sample)
    optimizer = subject.cfg["optimizer"] | (
        {"weight_decay": 0.0} if "weight_decay" in subject.cfg["optimizer"] else {}
    )
    copy.make_optimizer, copy.groups = build_optimizer(optimizer, copy.net, data.batch(1))
    return copy
