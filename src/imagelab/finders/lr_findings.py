"""Present the result of a range test: findings, an override to paste, a picture."""

import math

from imagelab.config.schema import Node
from imagelab.finders.lr_rule import SEEN, SHARE, Curve, diverges, minimum_tenth, steepest, suggested, valley
from imagelab.finding import Finding
from imagelab.pages.line_plot import line_plot

APART = 10  # factor between configured and suggested rate above which there is a warning
NOTHING = (
    "The network learnt nothing at any rate. Check labels and inputs first"
    ": `imagelab check` with the same overrides"  # room: checks
    ". If they are fine, batches may be too noisy: try a larger data.batch_size, or steps=300."
)


def override(curve: Curve) -> str | None:
    """The override to paste; None if there is no suggestion."""
    rate = suggested(curve)
    return None if rate is None else f"optimizer.lr={rate:.2g}"


def summary(curve: Curve) -> str:
    """The result in a sentence or two."""
    words = override(curve)
    if not curve.usable:
        return f"No suggestion: {_few(curve)} {NOTHING}"
    if words is None:
        return f"No suggestion: the loss fell by only {curve.seen:.1f} standard errors. {NOTHING}"
    return f"Set `{words}`: the peak rate, for any schedule."


def findings(curve: Curve, cfg: Node, groups: dict[str, float]) -> list[Finding]:
    """The findings of the command.

    Args:
        curve: Result of the range test.
        cfg: Config of the run.
        groups: Rate of each parameter group, relative to `optimizer.lr`.
    """
    return [
        _learning(curve),
        _rate(curve),
        *_groups(curve, groups),
        _divergence(curve),
        _configured(curve, cfg),
        _rules(curve),
    ]


def picture(curve: Curve, configured: float) -> str:
    """The losses against the rate, with the rates of all rules marked, as SVG."""
    smooth = [float(loss) for loss in curve.smooth]
    low, high = min(smooth), max(smooth)
    marks = {"suggested": suggested(curve), "configured": configured, "diverges": diverges(curve)}
    marks |= {"steepest": steepest(curve), "valley": valley(curve), "minimum / 10": minimum_tenth(curve)}
    lines = {
        f"{name} {rate:.2g}": ([rate, rate], [low, high]) for name, rate in marks.items() if rate is not None
    }
    raw = [(rate, loss) for rate, loss in zip(curve.rates, curve.losses, strict=True) if loss <= curve.most]
    return line_plot(
        {"loss": ([r for r, _ in raw], [loss for _, loss in raw]), "smoothed": (curve.rates, smooth)} | lines,
        title="Loss at each learning rate",
        x_label="optimizer.lr",
        y_label="training loss",
        log_x=True,
        width=900,
    )


def _learning(curve: Curve) -> Finding:
    seen = curve.seen >= SEEN
    return Finding(
        name="learning seen",
        status="OK" if seen else "WARN",
        value=round(curve.seen, 1),
        expected=f"at least {SEEN:g} standard errors",
        why=_few(curve)
        if not curve.usable
        else (
            f"The loss fell from {curve.start:.3g} to {curve.start - curve.fall:.3g}; the smoothed loss has "
            f"a standard error of {curve.error:.2g}."
        ),
        fix="" if seen else NOTHING,
    )


def _rate(curve: Curve) -> Finding:
    rate = suggested(curve)
    words = override(curve)
    return Finding(
        name="suggested rate",
        status="WARN" if rate is None else "OK",
        value=None if rate is None else float(f"{rate:.2g}"),
        expected="",
        why=(
            "No suggestion: the network did not learn."
            if rate is None
            else f"Here the loss has made {SHARE:.0%} of its fall. It is the peak rate, for any schedule."
        ),
        fix="" if words is None else f"`{words}`",
    )


def _groups(curve: Curve, groups: dict[str, float]) -> list[Finding]:
    rate = suggested(curve)
    if rate is None or set(groups.values()) == {1.0}:
        return []
    return [
        Finding(
            name="rates of the groups",
            status="INFO",
            value={name: float(f"{rate * share:.2g}") for name, share in groups.items()},
            expected="",
            why="The suggested rate in each parameter group; the test kept their ratios.",
            fix="",
        )
    ]


def _divergence(curve: Curve) -> Finding:
    rate = diverges(curve)
    last = len(curve.rates)
    stopped = f"; the test ended after {last} of {curve.steps} steps" if last < curve.steps else ""
    return Finding(
        name="divergence",
        status="INFO",
        value=None if rate is None else float(f"{rate:.2g}"),
        expected="",
        why=(
            f"No rate up to {curve.rates[-1]:.2g} made training diverge."
            if rate is None
            else f"From this rate on, the loss stays at or above its start{stopped}."
        ),
        fix="",
    )


def _configured(curve: Curve, cfg: Node) -> Finding:
    configured = cfg["optimizer"]["lr"]
    limit = diverges(curve) if curve.usable else None
    rate = suggested(curve)
    status = "OK"
    why = f"Within a factor of {APART} of the suggested rate."
    if limit is not None and configured >= limit:
        status = "FAIL"
        why = f"Training diverges from {limit:.2g} on."
        if rate is None:
            status = "WARN"
            why = f"The loss rises from {limit:.2g} on, without having fallen before."
    elif rate is None:
        status, why = "INFO", "There is no suggestion to compare with."
    elif not rate / APART <= configured <= rate * APART:
        status = "WARN"
        why = f"More than a factor of {APART} away from the suggested rate."
    instead = override(curve) or (f"optimizer.lr={limit / APART:.2g}" if limit else "")
    return Finding(
        name="configured rate",
        status=status,
        value=configured,
        expected="" if limit is None else f"below {limit:.2g}",
        why=why,
        fix=f"`{instead}`" if status in ("FAIL", "WARN") else "",
    )


def _few(curve: Curve) -> str:
    """Say why nothing can be seen in a curve."""
    finite = sum(map(math.isfinite, curve.losses))
    return f"Only {finite} of {len(curve.losses)} losses are finite, too few to see a trend."


def _rules(curve: Curve) -> Finding:
    found = {"steepest": steepest(curve), "valley": valley(curve), "minimum / 10": minimum_tenth(curve)}
    return Finding(
        name="other rules",
        status="INFO",
        value={name: float(f"{rate:.2g}") for name, rate in found.items()},
        expected="",
        why="Suggestions of other rules from the same curve.",
        fix="",
    )
