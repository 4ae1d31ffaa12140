"""Does the optimizer hold all trainable parameters, at positive rates, with a sensible weight decay?"""

import math
from typing import Any

from torch import Tensor, nn

from imagelab.checks.findings import NAMED, found
from imagelab.checks.subject import Subject
from imagelab.finding import Finding
from imagelab.problem import some_of
from imagelab.schedule import Plateau
from imagelab.transfer import TransferClassifier

STRONG, ABSURD = 2e-3, 0.02  # share of the weights that one step takes away
USUAL = 0.05  # a decay that is not too strong by itself
LOOKED_AT = 2000  # steps of the schedule


def holds_parameters(subject: Subject) -> Finding:
    """Every parameter that is to move is in the optimizer, and none is frozen by mistake."""
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
    expected = "all parameters but those that finetune leaves frozen, each at a rate above 0"
    if unknown := _unknown(subject):
        return found(
            "FAIL",
            f"unknown to the network: {some_of([str(tuple(one.shape)) for one in unknown], NAMED)}",
            expected=expected,
            why=f"outputs depend on {sum(one.numel() for one in unknown):,} numbers more, which are neither "
            "trained nor saved",
            fix="keep layers in a ModuleList or ModuleDict, not a list or dict; tensors as nn.Parameter",
        )
    for names, words, fix in (
        (missing, "not in the optimizer", "give the optimizer all of net.parameters()"),
        (idle, "at a rate of 0", "say optimizer.lr above 0"),
        (frozen, "frozen, though finetune says nothing of it", "say finetune=..., or requires_grad_(True)"),
    ):
        if names:
            weights = [name for name in names if _is_weight(net, name)]
            lost = sum(wanted[name].numel() for name in names) / whole
            return found(
                "FAIL" if weights else "WARN",
                f"{words}: {some_of(names, NAMED)}",
                expected=expected,
                why=f"{lost:.0%} of the network will not learn",
                fix=fix,
            )
    return found(
        "OK", f"{share:.0%} of {whole:,}", expected=expected, why="what is to be trained is in the optimizer"
    )


def rates(subject: Subject) -> Finding:
    """The schedule has rates above zero, and none above the peak by accident."""
    schedule, step_plan = subject.classifier.schedule, subject.classifier.step_plan
    if isinstance(schedule, Plateau):
        total = step_plan.total
        factors = [schedule.scale(step, step_plan) for step in range(min(total, LOOKED_AT))]
    else:
        places = range(0, step_plan.total, max(1, step_plan.total // LOOKED_AT))
        factors = [schedule.scale(step, step_plan) for step in places]
    peak = max(group["lr"] for group in subject.classifier.groups)
    high, expected = max(factors) * peak, "above 0, a number, and falling from its peak to the end"
    value = f"{factors[0] * peak:.2g}, at most {high:.2g}, {factors[-1] * peak:.2g} at the end"
    if not all(map(math.isfinite, factors)) or high <= 0 or min(factors) < 0:
        why = "the rate is 0, negative or no number: nothing can be learnt"
        return found(
            "FAIL", value, expected=expected, why=why, fix="say optimizer.lr above 0; look at schedule"
        )
    lost = sum(factor * peak < 1e-3 * high for factor in factors) / len(factors)
    return found(
        "WARN" if lost > 0.5 else "OK",
        value,
        expected=expected,
        why=f"{lost:.0%} of the steps are at less than a thousandth of the peak",
        fix="let the schedule fall later" if lost > 0.5 else "",
    )


def decay(subject: Subject) -> Finding:
    """Weight decay takes away little in a step."""
    groups = subject.copy().configure_optimizers().param_groups
    shares = [group["lr"] * group.get("weight_decay", 0.0) for group in groups]
    share, usual = max(shares), all(group.get("weight_decay", 0.0) <= USUAL for group in groups)
    remedy = (
        "say a lower optimizer.lr" if usual else "say optimizer.weight_decay=0.01 for AdamW, 0.0005 for SGD"
    )
    return found(
        "FAIL" if share > ABSURD else "WARN" if share > STRONG else "OK",
        f"{share:.2g} a step",
        expected=f"rate x decay at most {STRONG:g}; FAIL above {ABSURD:g}",
        why="weights shrink slowly"
        if share <= STRONG
        else f"{1 - (1 - min(share, 1)) ** 100:.0%} of the weights are gone after 100 steps at the peak rate",
        fix="" if share <= STRONG else remedy,
    )


def held_late(copy: object, parameter: nn.Parameter) -> bool:
    """Whether a stage that begins to move later holds it: frozen at first as `finetune` says."""
    return isinstance(copy, TransferClassifier) and any(
        parameter is one for group in copy.groups for one in group["params"]
    )


def _unknown(subject: Subject) -> list[Tensor]:
    """What the outputs follow by gradients, but no parameter of the network: layers in a list, above all."""
    copy = subject.calm().eval()
    nodes, seen, ends = [copy(subject.some(2).images).grad_fn], set[Any](), list[Tensor]()
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


def _is_weight(net: nn.Module, name: str) -> bool:
    layer, _, own = name.rpartition(".")
    parameter = net.get_parameter(name)
    return own == "weight" and parameter.ndim > 1 and isinstance(net.get_submodule(layer), nn.Module)
