"""Measure each layer before training: activations, dead units, gradients, size of the first update.

Source: Karpathy, CS231n notes, https://cs231n.github.io/neural-networks-3/, "ratio of weights:updates".
"""

import math
from typing import Any

import torch

from imagelab.checks.findings import fact, found
from imagelab.checks.subject import Subject
from imagelab.checks.trial import LINE_SEARCH, line_search, train
from imagelab.finding import Finding, grade
from imagelab.training.activation_health import (
    findings,
    gradient_norms,
    layers_to_watch,
    numbers,
    update_ratios,
    watching,
    weights_of,
)

MOST = 400  # layers
TINY, HUGE, FAR = 1e-8, 1e2, 1e4  # gradient of a layer's weights, relative to the weights
LARGE, SMALL = 0.5, 1e-7  # change of a layer's weights in the first step, relative to the weights
RATE = (
    "start with a lower rate by schedule.warmup=0.05"
    ", or let `imagelab find_lr` find one"  # room: finders
)


def activations(subject: Subject) -> Finding:
    """At init, on real images, no layer's outputs vanish, explode or are dead."""
    stats = _stats(subject)
    verdicts = findings(stats)
    expected = "std of the last hidden layer 0.02 to 50 times that of the first (FAIL: 1e-4 to 1e4); "
    expected += "at most a quarter of a layer's units dead (FAIL: 90%)"
    dead = [values["dead"] for values in stats.values() if "dead" in values]
    if verdicts:
        fix = "try model.init=kaiming_normal or lsuv, a norm (model.norm=batch), or a lower rate for biases"
        return found(
            verdicts[0].status,
            f"{verdicts[0].value:.3g}",
            expected=expected,
            why=verdicts[0].sentence,
            fix=fix,
        )
    value = f"at most {max(dead):.0%} of a layer's units dead" if dead else f"{len(stats)} layers"
    return found("OK", value, expected=expected, why="outputs neither vanish nor explode from layer to layer")


def gradient_sizes(subject: Subject) -> Finding:
    """No layer's gradient is tiny or huge relative to its weights."""
    ratios = {name: values.get("gradient", 0) for name, values in _stats(subject).items()}
    ratios = {name: ratio for name, ratio in ratios.items() if ratio != 0}  # branches may begin at zero
    if not ratios:
        return fact(None, "no layer with weights has a gradient")
    low = min(ratios, key=lambda n: ratios[n])
    high = max(ratios, key=lambda n: ratios[n])
    bad = not all(map(math.isfinite, ratios.values())) or ratios[high] > FAR
    good = ratios[low] >= TINY and ratios[high] <= HUGE
    return found(
        grade(fail=bad, warn=not good),
        f"{ratios[low]:.2g} ({low}) to {ratios[high]:.2g} ({high})",
        expected=f"{TINY:g} to {HUGE:g} times the weights; FAIL above {FAR:g}",
        why="every layer gets a usable gradient" if good else "some layers would hardly learn, or jump",
        fix="" if good else "try another model.init, a norm, or trainer.gradient_clip_val=1",
    )


def updates(subject: Subject) -> Finding:
    """The first step at the peak rate changes the weights only a little."""
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    middle = first_update(subject)
    if middle == 0:
        why = "a step at the peak rate moves no layer with weights"
        return found("WARN", 0, expected=f">= {SMALL:g}", why=why, fix=RATE)
    good = SMALL <= middle <= LARGE
    return found(
        "OK" if good else "WARN",
        f"{middle:.2g} of the weights",
        expected=f"{SMALL:g} to {LARGE:g} in the first step; about 1e-3 later",
        why="the first step at the peak rate changes the median layer by this share",
        fix="" if good else RATE,
    )


def first_update(subject: Subject) -> float:
    """The change of a layer's weights in the first step at the peak rate, relative to the weights; median."""
    if "update" not in subject.pictures:
        copy = subject.copy()
        before = weights_of(copy.net, layers_to_watch(copy.net, MOST))
        before = {name: weight for name, weight in before.items() if weight.any()}
        train(subject, copy, [subject.training(max(2, subject.count // 2))])
        ratios = {name: float(value) for name, value in update_ratios(copy.net, before).items()}
        for name in ratios.keys() & _stats(subject).keys():
            _stats(subject)[name]["update"] = ratios[name]
        moved = sorted(value for value in ratios.values() if value > 0)
        subject.pictures["update"] = moved[len(moved) // 2] if moved else 0.0
    return subject.pictures["update"]


def first_layer(subject: Subject) -> Finding:
    """Show the first layer's filters: noise before training, edges and colours after it."""
    weight = first_weight(subject)
    if weight is None:
        return fact(None, "the network does not begin with a convolution")
    value = f"{weight.shape[0]} filters of {weight.shape[2]} x {weight.shape[3]}"
    return fact(value, "shown on the page: noise before training, edges and colours after it")


def first_weight(subject: Subject) -> torch.Tensor | None:
    """The weights of the first convolution, (filters, channels, H, W)."""
    layers = (m for m in subject.classifier.net.modules() if isinstance(m, torch.nn.Conv2d))
    layer = next(layers, None)
    return None if layer is None else layer.weight.detach().float().cpu()


def _stats(subject: Subject) -> dict[str, Any]:
    if "layers" not in subject.pictures:
        copy = subject.plain().train()
        copy.rewires = []
        names = layers_to_watch(copy.net, MOST)
        with watching(copy.net, names) as stats:
            torch.manual_seed(0)
            copy.task.loss(copy, subject.some(subject.count)).backward()
        table: dict[str, Any] = numbers(stats)
        norms = gradient_norms(copy.net, names)
        sizes = {name: float(weight.norm()) for name, weight in weights_of(copy.net, names).items()}
        for name, norm in norms.items():
            if name in table and sizes[name] > 0:
                table[name]["gradient"] = float(norm) / sizes[name]
        subject.pictures["layers"] = table
    return subject.pictures["layers"]
