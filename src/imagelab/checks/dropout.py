"""Does dropout leave enough of the values, and are they as large in training as in evaluation?

Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, section 10.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from imagelab.checks.findings import NAMED, fact, found
from imagelab.checks.subject import Subject, share_names
from imagelab.finding import Finding
from imagelab.problem import some_of

DRAWS = 32  # passes of training, of which the mean counts
MOST = 0.9  # share of values left out from which a layer is named
OFF, ERRORS = 0.1, 5.0  # size of the mean over that in evaluation, away from 1; standard errors
OWN_MEANS = (nn.AlphaDropout, nn.FeatureAlphaDropout)  # shift what is left on purpose


def dropout(subject: Subject) -> Finding:
    """Dropout keeps the mean of what it drops from, and leaves enough of it."""
    rates = dict(left_out_by(subject.classifier.net))
    sizes = _sizes(subject)
    most = max(rates.values(), default=0.0)
    away = max(sizes, key=lambda name: abs(sizes[name] - 1), default="")
    expected = f"the same mean as in evaluation, within {OFF:.0%}; less than {MOST:.0%} left out"
    if away and abs(sizes[away] - 1) > OFF:
        why = f"in training, the mean of {away} is {sizes[away]:.2g} times that in evaluation"
        fix = "divide what is left by 1 - p in training, as nn.Dropout does"
        return found("FAIL", f"{sizes[away]:.2g} times", expected=expected, why=why, fix=fix)
    if not rates and not sizes:
        return fact("none", "the network has no dropout")
    if most >= MOST:
        where = some_of([name for name, rate in rates.items() if rate == most], NAMED)
        why = f"dropout leaves {1 - most:.2g} of the values before {where}: hardly any image gets through"
        return found(
            "WARN",
            f"{most:.0%} left out",
            expected=expected,
            why=why,
            fix="lower model.dropout to 0.1 to 0.5",
        )
    return found(
        "OK", f"at most {most:.0%} left out", expected=expected, why="enough is left, at the right mean"
    )


def left_out_by(net: nn.Module) -> Iterator[tuple[str, float]]:
    """The layers that drop values, each with its share; so do hooks, such as that of `model.dropout`.

    >>> dict(left_out_by(nn.Sequential(nn.ReLU(), nn.Dropout(0.25), nn.Dropout(0.0))))
    {'1': 0.25}
    """
    for name, layer in net.named_modules():
        hooks: list[Any] = [*layer._forward_hooks.values(), *layer._forward_pre_hooks.values()]
        shares = [getattr(layer, one, None) for one in share_names(layer)]
        shares += [hook.keywords.get("rate") for hook in hooks if isinstance(hook, partial)]
        share = max((one for one in shares if isinstance(one, float)), default=0.0)
        if share > 0:
            yield name, share


@torch.no_grad()
def _sizes(subject: Subject) -> dict[str, float]:
    """By layer that leaves values out, the size of the mean of its outputs in training, over evaluation."""
    copy = subject.plain().train()
    seen: dict[str, tuple[nn.Module, Tensor]] = {}

    def keep(name: str, layer: nn.Module, given: tuple[Any, ...]) -> None:
        if len(given) == 1 and isinstance(given[0], Tensor):
            seen.setdefault(name, (layer, given[0].clone()))

    hooks = [
        layer.register_forward_pre_hook(partial(keep, name))
        for name, layer in copy.net.named_modules()
        if not list(layer.parameters()) and not isinstance(layer, OWN_MEANS)
    ]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(subject.data.seed)
        batch = subject.some(subject.count)
        forward = partial(copy, batch.images)
        if subject.data.boxes:  # room: detection
            forward = partial(copy.task.loss, copy, batch)  # a detector in training needs targets
        forward()
        for hook in hooks:
            hook.remove()
        sizes = {name: mean_size(layer, given) for name, (layer, given) in seen.items()}
    return {name: size for name, size in sizes.items() if size is not None}


def mean_size(layer: nn.Module, given: Tensor) -> float | None:
    """The mean output of a layer in training, relative to evaluation; None if it leaves nothing out.

    It is 1 if chance explains the difference.
    """
    usual = layer.eval()(given.clone())
    layer.train()
    first, second = layer(given.clone()), layer(given.clone())
    if not isinstance(usual, Tensor) or first.shape != usual.shape or torch.equal(first, second):
        return None
    if not ((first == 0) & (usual != 0)).any():
        return None
    square = float((usual * usual).sum())
    draws = torch.stack([(layer(given.clone()) * usual).sum() / square for _ in range(DRAWS)])
    error = float(draws.std()) / DRAWS**0.5
    size = float(draws.mean())
    return size if abs(size - 1) > ERRORS * error else 1.0
