"""Make the findings of a report, from the curves and the predictions of a run."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from imagelab.evaluation.confusion import most_confused
from imagelab.evaluation.per_class import per_class, wilson
from imagelab.evaluation.predictions import Predictions
from imagelab.finding import Finding, Status, grade
from imagelab.metrics.calibration import Calibration
from imagelab.reports.advice import Advice
from imagelab.reports.curves import Curves
from imagelab.reports.states import Verdict

STATUS: dict[str, Status] = {
    "healthy": "OK",
    "diverged": "FAIL",
    "not learning": "FAIL",
    "not generalising": "FAIL",
    "too early to say": "INFO",
    "no validation": "INFO",
}  # all other states: WARN
VERDICT, NUMBERS, RUN, PREDICTIONS = "verdict", "numbers of the verdict", "run", "predictions"
SPIKE = 20.0  # times the median gradient norm
MISCALIBRATED = 0.05  # expected calibration error above which probabilities mislead


def verdict_finding(found: Verdict, next_step: Advice) -> Finding:
    """The finding on the state of the curves, with the suggested next step."""
    return Finding(
        name=VERDICT,
        status=STATUS.get(found.state, "WARN"),
        value=found.state,
        expected="healthy",
        why=found.why,
        fix=f"{next_step.sentence} `{next_step.command}`",
    )


def numbers_finding(found: Verdict) -> Finding:
    """The finding on the numbers behind the verdict."""
    return Finding(
        name=NUMBERS,
        status="INFO",
        value=found.numbers,
        expected="",
        why=found.how,
        fix="",
    )


def gradient_finding(curves: Curves, may: Callable[[list[str]], bool]) -> list[Finding]:
    """The finding on gradient norms; none if they were not logged.

    Args:
        curves: Curves of the run.
        may: Whether the config of the run accepts other overrides.
    """
    norms = curves.norms[np.isfinite(curves.norms)]
    if not len(norms):
        return []
    middle = float(np.median(norms))
    most = float(norms.max())
    spiky = most > SPIKE * middle and len(norms) >= 10
    clip = f"trainer.gradient_clip_val={2 * middle:.2g}"
    return [
        Finding(
            name="gradient norm",
            status="WARN" if spiky else "OK",
            value={"median": round(middle, 4), "highest": round(most, 4), "last": round(float(norms[-1]), 4)},
            expected=f"highest below {SPIKE:.0f} times the median",
            why="A few steps had much larger gradients than the others." if spiky else "",
            fix=f"Clip them: `{clip}`." if spiky and middle > 0 and may([clip]) else "",
        )
    ]


def sharpness_finding(curves: Curves) -> list[Finding]:
    """The finding on how flat the minimum is that the run ended in; none if it was not measured."""
    rises = curves.sharpness[np.isfinite(curves.sharpness)]
    if not len(rises):
        return []
    part = max(1, len(rises) // 5)
    first = float(rises[:part].mean())
    last = float(rises[-part:].mean())
    return [
        Finding(
            name="sharpness",
            status="INFO",
            value=round(last, 5),
            expected="",
            why=(
                f"The loss of a batch rises by so much at the worst nearby weights; at first by {first:.3g}. "
                "Flat minima generalise better: compare runs of the same network on the same data."
            ),
            fix="",
        )
    ]


def accuracy_finding(found: Predictions) -> Finding:
    """The finding on accuracy, with its confidence interval."""
    hits = int((found.predicted == found.labels).sum())
    total = len(found.labels)
    low, high = wilson(hits, total)
    return Finding(
        name=f"accuracy on {found.split}",
        status="INFO",
        value=round(hits / max(total, 1), 4),
        expected="",
        why=f"{hits:,} of {total:,} are correct; the 95% interval is [{low:.1%}, {high:.1%}].",
        fix="",
    )


def class_findings(found: Predictions, counts: np.ndarray) -> list[Finding]:
    """The findings on the weakest class and the most confused pair, if there are mistakes."""
    pairs = most_confused(counts, 1)
    rows = [row for row in per_class(counts) if not math.isnan(row.recall)]
    if not pairs or not rows:
        return []
    weak = min(rows, key=lambda row: row.recall)
    pair = pairs[0]
    low, high = weak.recall_interval
    given = found.classes[pair.given]
    taken = found.classes[pair.predicted]
    return [
        Finding(
            name="weakest class",
            status="INFO",
            value=found.classes[weak.label],
            expected="",
            why=(
                f"{weak.recall:.1%} of its {weak.images:,} images are recognised; 95% interval [{low:.1%}, "
                f"{high:.1%}]."
            ),
            fix="",
        ),
        Finding(
            name="most confused",
            status="INFO",
            value=f"{given} predicted as {taken}",
            expected="",
            why=f"{pair.share:.1%} of {given}: {pair.count:,} image{'s' * (pair.count != 1)}.",
            fix="",
        ),
    ]


def calibration_finding(found: Calibration) -> Finding:
    """The finding on calibration; without a verdict if there are few images."""
    low, high = found.interval
    status = grade(warn=found.resolved and low > MISCALIBRATED, info=not found.resolved)
    too_few = "" if found.resolved else f" {found.images:,} images are too few for a verdict."
    mends = found.helps and status == "WARN"
    scaling = (
        f"The temperature {found.temperature:.2f}, fitted on a half of the images, lowers that of the others "
        f"from {found.before:.3f} to {found.after:.3f}."
        if found.helps
        else "No temperature lowers it beyond this interval."
    )
    return Finding(
        name="calibration error",
        status=status,
        value=round(found.ece, 4),
        expected=f"lower end of its interval below {MISCALIBRATED}",
        why=f"Bootstrap interval [{low:.3f}, {high:.3f}]. {scaling}{too_few}",
        fix=f"Divide logits by {found.temperature:.2f} before softmax." if mends else "",
    )


def failed_finding(what: str, error: object) -> Finding:
    """The finding on a part of the report that failed."""
    return Finding(name=what, status="INFO", value=None, expected="", why=str(error), fix="")


def facts_of(results: dict[str, Any]) -> Finding:
    """The finding on how the run ended."""
    best = results.get("best") or {}
    epoch = best.get("epoch")
    value = best.get("value")
    told = str(results.get("error") or "")
    if epoch is not None and value is not None:
        told = f"Best epoch {epoch + 1} of {results['epochs']}: {best['monitor']} {value:.4f}. {told}".strip()
    status = results.get("status", "still running, or killed")
    return Finding(name=RUN, status="INFO", value=status, expected="", why=told, fix="")
