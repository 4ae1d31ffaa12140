"""Do all trainable parameters, and no frozen ones, get gradients and change in three training steps?"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.checks.findings import NAMED, fact, found
from imagelab.checks.subject import Subject
from imagelab.checks.trial import LINE_SEARCH, Gradients, line_search, train
from imagelab.finding import Finding, grade
from imagelab.problem import some_of
from imagelab.transfer import TransferClassifier

STEPS = 3  # residual branches whose last norm starts at zero get a gradient from the second step on
SHARE = 0.1  # share of the parameters above which the check fails
SLOW, FAST, ODD = 1e-3, 0.9, 0.5  # share of a batch in the running statistics: FAIL, FAIL from, WARN above
CLEAN, KEPT = 1.2, 1.8  # gradient of the fourth step on one batch over that of the first, at rate 0


@dataclass
class Taken:
    """Gradients of three steps, and the values of all tensors before and after them."""

    gradients: list[dict[str, float]]
    before: Mapping[str, Tensor]
    after: Mapping[str, Tensor]
    trained: dict[str, int]  # parameters by name, with their sizes
    losses: list[float]


def gradients(subject: Subject) -> Finding:
    """Every trainable parameter gets a gradient."""
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    taken = _taken(subject)
    longest = {name: max(_number(step.get(name)) for step in taken.gradients) for name in taken.trained}
    none = [name for name, length in longest.items() if length == 0]
    lost = [name for name, length in longest.items() if length == float("inf")]
    share = sum(taken.trained[name] for name in none) / max(1, sum(taken.trained.values()))
    expected = f"none without a gradient in {STEPS} steps; FAIL above {SHARE:.0%} of the parameters"
    if lost:
        why = f"the gradient of {some_of(lost, NAMED)} is non-finite"
        fix = "try a lower rate, trainer.gradient_clip_val=1 or trainer.precision=32-true"
        return found("FAIL", "NaN or infinite", expected=expected, why=why, fix=fix)
    return found(
        grade(fail=share > SHARE, warn=none),
        f"{share:.0%} without a gradient",
        expected=expected,
        why=f"no gradient reaches {some_of(none, NAMED)}" if none else "the loss depends on every parameter",
        fix="look for detach, no_grad, dead units, and layers that forward skips" if none else "",
    )


def movement(subject: Subject) -> Finding:
    """Every trainable parameter changes."""
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    taken = _taken(subject)
    fixed = [name for name in taken.trained if torch.equal(taken.before[name], taken.after[name])]
    share = sum(taken.trained[name] for name in fixed) / max(1, sum(taken.trained.values()))
    broken = [name for name in taken.trained if not taken.after[name].isfinite().all()]
    expected = f"all change in {STEPS} steps; FAIL if more than {SHARE:.0%} do not"
    if broken:
        why = f"after {STEPS} steps, {some_of(broken, NAMED)} is non-finite"
        return found("FAIL", "NaN or infinite", expected=expected, why=why, fix="lower optimizer.lr")
    return found(
        grade(fail=share > SHARE, warn=fixed),
        f"{1 - share:.0%} change",
        expected=expected,
        why=f"{some_of(fixed, NAMED)} does not change" if fixed else "steps change the weights",
        fix="is it in the optimizer, with a rate above 0, and does the loss depend on it?" if fixed else "",
    )


def batch_statistics(subject: Subject) -> Finding:
    """The BatchNorm layers of trained stages learn the statistics that evaluation will use."""
    norms = {
        name: layer
        for name, layer in subject.classifier.net.named_modules()
        if isinstance(layer, _BatchNorm) and layer.track_running_stats
    }
    if not norms:
        return fact(None, "the network has no BatchNorm")
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    taken = _taken(subject)
    still = _still(subject)
    watched = [name for name in norms if f"{name}.running_mean" not in still]
    if not watched:
        return fact("frozen", "finetune or model.norm freezes all batch statistics")
    if subject.data.batch(1) == 1:
        why = "with one image per batch, BatchNorm normalises each image by itself, and evaluation does not"
        fix = "set data.batch_size=32, or model.norm=group"
        return found("FAIL", "1 image per batch", expected="some images per batch", why=why, fix=fix)
    bad = [name for name in watched if torch.equal(*_means(taken, name)) or _slow(norms[name])]
    if fast := [name for name in watched if (norms[name].momentum or 0) > ODD]:
        momentum = max(norms[name].momentum or 0 for name in fast)
        why = f"with a momentum of {momentum:g}, statistics are almost those of the last batch alone"
        fix = f"set momentum={1 - momentum:.2g}: in torch it is the share of the new batch, not of the old"
        status = grade(fail=momentum >= FAST, warn=True)
        return found(status, momentum, expected="about 0.1", why=why, fix=fix)
    return found(
        grade(fail=len(bad) > len(watched) / 2, warn=bad),
        f"{len(watched) - len(bad)} of {len(watched)} change",
        expected="running statistics that change in every training step, with a momentum of about 0.1",
        why="evaluation will normalise with the statistics of the images"
        if not bad
        else f"those of {some_of(bad, NAMED)} do not change: evaluation would use statistics never seen",
        fix="" if not bad else "train in training mode; torch's momentum is the share of the new batch: 0.1",
    )


def frozen(subject: Subject) -> Finding:
    """A step leaves all parameters and buffers that finetune freezes equal to the last bit."""
    module = subject.classifier
    if not isinstance(module, TransferClassifier) or all(move.moves(0) for move in module.moves):
        return fact("nothing", "no part of the network is frozen at first")
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    copy = deepcopy(module)  # its stages stay frozen until finetune says otherwise
    before = _state(copy.net)
    train(subject, copy, [subject.training(max(2, subject.count // 2))])
    after = _state(copy.net)
    still = _still(subject, late=True) - module.adapted
    changed = [name for name in still if name in before and not torch.equal(before[name], after[name])]
    return found(
        "FAIL" if changed else "OK",
        f"{len(changed)} of {len(still)} changed",
        expected="all parameters and buffers of frozen stages equal to the last bit after a step",
        why=f"frozen, but changed: {some_of(changed, NAMED)}" if changed else "frozen stages do not change",
        fix="freeze with finetune=...: it freezes gradients, batch statistics and dropout in every epoch"
        if changed
        else "",
    )


def cleared(subject: Subject) -> Finding:
    """Gradients are cleared between steps."""
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    copy = subject.calm()
    watch = Gradients()
    for group in copy.groups:
        group["lr"] = 0.0
    train(subject, copy, [subject.some(max(2, subject.count // 2))] * 4, callbacks=[watch])
    lengths = [sum(_number(v) ** 2 for v in step.values()) ** 0.5 for step in watch.steps]
    if len(lengths) < 4 or not lengths[0] > 0:
        return fact(None, "there are no gradients to compare")
    ratio = lengths[3] / lengths[0]
    clipped = subject.cfg["trainer"].get("gradient_clip_val") is not None
    return found(
        grade(fail=ratio > KEPT, warn=not ratio < CLEAN),
        round(ratio, 3),
        expected=f"1, below {CLEAN:g}; 4 if gradients accumulate" + " before they are clipped" * clipped,
        why="each step uses the gradient of its own batch"
        if ratio < CLEAN
        else "gradients of earlier steps are still there",
        fix="" if ratio < CLEAN else "call optimizer.zero_grad() before each backward pass",
    )


def _taken(subject: Subject) -> Taken:
    if "steps" not in subject.pictures:
        copy = subject.copy()
        watch = Gradients()
        before = _state(copy.net)
        still = _still(subject)
        trained = {name: one.numel() for name, one in copy.net.named_parameters() if name not in still}
        count = max(2, subject.count // 2)
        batches = [subject.training(count, epoch) for epoch in range(STEPS)]
        losses = train(subject, copy, batches, callbacks=[watch])
        subject.pictures["steps"] = Taken(watch.steps, before, _state(copy.net), trained, losses)
    return subject.pictures["steps"]


def _means(taken: Taken, name: str) -> tuple[Tensor, Tensor]:
    key = f"{name}.running_mean"
    return taken.before[key], taken.after[key]


def _slow(norm: _BatchNorm) -> bool:
    return norm.momentum is not None and norm.momentum < SLOW


def _state(net: nn.Module) -> dict[str, Tensor]:
    tensors = dict(net.named_parameters()) | dict(net.named_buffers())
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _still(subject: Subject, late: bool = False) -> set[str]:
    """Names of the parameters and buffers that never change or, with `late`, not in the first epoch."""
    moves = getattr(subject.classifier, "moves", [])
    strategy = getattr(subject.classifier, "strategy", None)
    net = subject.classifier.net
    names = set[str]()
    for move in moves:
        rests = move.start is None or (late and not move.moves(0))
        names |= set(move.stage.parameters) if rests else set()
        for root in move.stage.modules:
            for name, layer in net.get_submodule(root).named_modules(prefix=root):
                kept = isinstance(layer, _BatchNorm) and strategy is not None and strategy.norm == "frozen"
                if rests or kept:
                    names |= {f"{name}.{buffer}" for buffer, _ in layer.named_buffers(recurse=False)}
    return names


def _number(value: float | None) -> float:
    """The length of a gradient: 0 if there is none."""
    if value is None or value != value:
        return 0.0
    return value
