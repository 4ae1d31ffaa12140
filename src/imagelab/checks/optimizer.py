"""Does the optimizer hold all trainable parameters, with positive rates and a sensible weight decay?"""

import math
from typing import Any

from torch import Tensor, nn

from imagelab.checks.findings import NAMED, fact, found
from imagelab.checks.subject import Subject
from imagelab.finding import Finding, grade
from imagelab.optimizer.weight_names import weight_names
from imagelab.problem import some_of
from imagelab.schedule import Plateau
from imagelab.transfer import TransferClassifier

STRONG, ABSURD = 2e-3, 0.02  # share of the weights that decays in one step
USUAL = 0.05  # weight decay that is not too strong by itself
LOOKED_AT = 2000  # steps of the schedule
GONE = 0.9  # share of steps with a rate near 0 that no schedule has on purpose


def holds_parameters(subject: Subject) -> Finding:
    """Every parameter that should train is in the optimizer, and none is frozen by mistake."""
    copy = subject.copy()
    net, optimizer = copy.net, copy.configure_optimizers()
    held = {id(one): group for group in optimizer.param_groups for one in group["params"]}
    still = _never_moving(subject)
    wanted = {name: one for name, one in net.named_parameters() if name not in still}
    frozen = [name for name, one in wanted.items() if not one.requires_grad and not held_late(copy, one)]
    missing = [name for name, one in wanted.items() if id(one) not in held and name not in frozen]
    idle = [name for name, one in wanted.items() if id(one) in held and not held[id(one)]["lr"] > 0]
    whole = sum(one.numel() for one in net.parameters())
    share = sum(one.numel() for one in wanted.values()) / whole
    expected = "all parameters except those that finetune keeps frozen, each with a rate above 0"
    if unknown := _unknown(subject):
        return found(
            "FAIL",
            f"unknown to the network: {some_of([str(tuple(one.shape)) for one in unknown], NAMED)}",
            expected=expected,
            why=f"outputs depend on {sum(one.numel() for one in unknown):,} more values, which are neither "
            "trained nor saved",
            fix="keep layers in a ModuleList or ModuleDict, not a list or dict, and tensors as nn.Parameter",
        )
    for names, words, fix in (
        (missing, *_absent(copied=held.keys() - {id(one) for one in copy.parameters()})),
        (idle, "with a rate of 0", "set optimizer.lr above 0"),
        (frozen, "frozen, but not by finetune", "set finetune=..., or call requires_grad_(True)"),
    ):
        if names:
            weights = weight_names(net) & set(names)
            lost = sum(wanted[name].numel() for name in names) / whole
            return found(
                "FAIL" if weights else "WARN",
                f"{words}: {some_of(names, NAMED)}",
                expected=expected,
                why=f"{lost:.0%} of the network will not learn",
                fix=fix,
            )
    return found(
        "OK", f"{share:.0%} of {whole:,}", expected=expected, why="no trainable parameter is left out"
    )


def _absent(copied: set[int]) -> tuple[str, str]:
    """What to say of parameters that the optimizer lacks, or has only as copies, and what to do."""
    if copied:
        return "not in the optimizer, which has copies", "give it the parameters themselves"
    return "not in the optimizer", "give the optimizer all of net.parameters()"


def rates(subject: Subject) -> Finding:
    """The learning rates of the schedule are valid, and most of the run is not spent near 0."""
    schedule, step_plan = subject.classifier.schedule, subject.classifier.step_plan
    if isinstance(schedule, Plateau):
        total = step_plan.total
        factors = [schedule.scale(step, step_plan) for step in range(min(total, LOOKED_AT))]
    else:
        places = range(0, step_plan.total, max(1, step_plan.total // LOOKED_AT))
        factors = [schedule.scale(step, step_plan) for step in places]
    peak = max(group["lr"] for group in subject.classifier.groups)
    high = max(factors) * peak
    expected = "finite, above 0, falling from the peak to the end"
    value = f"{factors[0] * peak:.2g} at first, at most {high:.2g}, {factors[-1] * peak:.2g} at the end"
    if not all(map(math.isfinite, factors)) or high <= 0 or min(factors) < 0:
        why = "the rate is 0, negative or non-finite: the network cannot learn"
        return found(
            "FAIL", value, expected=expected, why=why, fix="set optimizer.lr above 0; look at schedule"
        )
    lost = sum(factor * peak < 1e-3 * high for factor in factors) / len(factors)
    return found(
        grade(fail=lost > GONE, warn=lost > 0.5),
        value,
        expected=expected,
        why=f"{lost:.0%} of the steps have a rate below a thousandth of the peak",
        fix="choose a schedule that falls later" if lost > 0.5 else "",
    )


def decay(subject: Subject) -> Finding:
    """Weight decay shrinks the weights only a little per step."""
    groups = subject.copy().configure_optimizers().param_groups
    shares = [group["lr"] * group.get("weight_decay", 0.0) for group in groups]
    share = max(shares)
    usual = all(group.get("weight_decay", 0.0) <= USUAL for group in groups)
    remedy = "lower optimizer.lr" if usual else "set optimizer.weight_decay=0.01 for AdamW, 0.0005 for SGD"
    return found(
        grade(fail=share > ABSURD, warn=share > STRONG),
        f"{share:.2g} per step",
        expected=f"rate x decay at most {STRONG:g}; FAIL above {ABSURD:g}",
        why="weights shrink slowly"
        if share <= STRONG
        else f"{1 - (1 - min(share, 1)) ** 100:.0%} of the weights are gone after 100 steps at the peak rate",
        fix="" if share <= STRONG else remedy,
    )


def averages(subject: Subject) -> Finding:
    """An optimizer of Adam's kind averages gradients over fewer steps than their squares.

    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, theorem 4.1: beta1^2 < sqrt(beta2).
    """
    groups = subject.copy().configure_optimizers().param_groups
    pairs = {tuple(group["betas"]) for group in groups if len(group.get("betas") or ()) == 2}
    if not pairs:
        return fact("none", "the optimizer keeps no averages of gradients and of their squares")
    first, second = max(pairs, key=lambda pair: pair[0] ** 2 - pair[1] ** 0.5)
    bad = first**2 >= second**0.5 > 0
    return found(
        "FAIL" if bad else "OK",
        f"betas={first:g}, {second:g}",
        expected="beta1^2 < sqrt(beta2), such as 0.9 and 0.999",
        why="steps may grow without bound: gradients are averaged over more steps than their squares"
        if bad
        else "gradients are averaged over few enough steps",
        fix=f"swap them: betas={second:g}, {first:g}" if bad else "",
    )


def held_late(copy: object, parameter: nn.Parameter) -> bool:
    """Whether a parameter belongs to a stage that `finetune` freezes at first and trains later."""
    return isinstance(copy, TransferClassifier) and any(
        parameter is one for group in copy.groups for one in group["params"]
    )


def _unknown(subject: Subject) -> list[Tensor]:
    """Tensors that outputs depend on but the network does not register, such as layers in a plain list."""
    copy = subject.calm().eval()
    nodes = [copy(subject.some(2).images).grad_fn]
    seen = set[Any]()
    ends = list[Tensor]()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            nodes += [before for before, _ in node.next_functions]
            ends += [node.variable] if hasattr(node, "variable") else []
    known = {id(one) for one in copy.parameters()}
    return [one for one in ends if id(one) not in known]


def _never_moving(subject: Subject) -> set[str]:
    moves = getattr(subject.classifier, "moves", [])
    return {name for move in moves if move.start is None for name in move.stage.parameters}
