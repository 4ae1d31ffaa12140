"""Build the report of one run: verdict, curves, images, time."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from imagelab.checkpoints.content import expect_ours
from imagelab.checkpoints.durable import load_plain
from imagelab.config.facts import says
from imagelab.config.monitor import headline
from imagelab.config.rules.classes import stating
from imagelab.config.schema import Node
from imagelab.evaluation.one_run import run_test
from imagelab.evaluation.predictions import Predictions, csv_path, of_split
from imagelab.finding import Finding
from imagelab.metrics.measure import function_at
from imagelab.metrics.names import RAW, metric_of
from imagelab.metrics.table import (
    BOXES,  # room: detection
    CLASSES,
)
from imagelab.pages.page import Section
from imagelab.pages.publish import publish
from imagelab.problem import Problem
from imagelab.reports import run_findings as of
from imagelab.reports.advice import Advice, accepted, advice, typed
from imagelab.reports.beside_person import person_sections
from imagelab.reports.box_verdict import box_verdict  # room: detection
from imagelab.reports.curves import Curves, from_history, read_curves
from imagelab.reports.generator_verdict import generator_verdict  # room: generators
from imagelab.reports.image_parts import ImageParts
from imagelab.reports.lead import key_figures, lead
from imagelab.reports.run_findings import failed_finding
from imagelab.reports.run_sections import curve_sections, numbers_section, time_section
from imagelab.reports.samples import sample_section  # room: generators
from imagelab.reports.states import Verdict
from imagelab.reports.time_shares import time_finding
from imagelab.reports.verdict import Facts, verdict
from imagelab.runs import files
from imagelab.terminal.summary import near
from imagelab.training.phase_timer import shares

STEM = "report"


def after_training(cfg: Node, folder: Path, parts: Any, results: Node) -> tuple[Verdict, Advice]:
    """Report on a run that has just ended, from the validation outputs of its best weights.

    Args:
        cfg: Config of the run.
        folder: Folder of the run.
        parts: Parts of the run.
        results: Content of results.json.
    """
    weights = parts.saver.best.get("weights", RAW)
    found = None
    why_not = ""
    seen = parts.saver.seen.get(metric_of("val", weights))
    task = parts.classifier.task
    if seen is not None and task.predicts:
        found = of_split(parts.data, "val", weights, seen, task=task, ranks=parts.trainer.world_size)
    elif task.predicts:
        why_not = (
            f"The outputs of the best weights on val were not kept; `imagelab report run={folder}` adds them."
        )
    return write(folder, results, found, why_not=why_not, loggers=parts.trainer.loggers, quiet=True)


def lines_after_training(cfg: Node, folder: Path, parts: Any, results: Node) -> dict[str, str]:
    """Report on a run that has just ended; return the lines for the closing table."""
    verdict, step = after_training(cfg, folder, parts, results)
    return {
        "verdict": f"{verdict.state}. {step.sentence}",
        "try": step.command,
        "report": near(folder / "report.html"),
    }


def write(
    folder: Path,
    results: Node,
    found: Predictions | None,
    *,
    why_not: str = "",
    loggers: Iterable[object] = (),
    more: Sequence[Section] = (),
    quiet: bool = False,
) -> tuple[Verdict, Advice]:
    """Write the report of a run; return the verdict and the suggested next step.

    Args:
        folder: Folder of the run.
        results: Content of results.json; empty if there is none.
        found: Predictions for a split; None: report only on the curves.
        why_not: Why there are no predictions, if so.
        loggers: Loggers of the run, which get the report.
        more: Further sections, after those on the images.
        quiet: Whether to omit the findings on the terminal.
    """
    curves = curves_of(folder)
    seconds = seconds_of(folder, results)
    judged, step, findings = on_curves(folder, results, curves, seconds, classes_of(folder, found))
    images = on_images(folder, found, why_not)
    findings += images.findings
    metric = headline(files.read_config(folder))
    last = [*more, *person_sections(folder), *time_section(seconds), numbers_section(judged, findings)]
    publish(
        folder,
        STEM,
        title=f"Report on {folder.name}",
        summary="",
        findings=findings,
        sections=[*curve_sections(curves, metric), *images.sections, *last],
        lead=lead(judged, step, key_figures(results, curves, images.figures, metric), findings),
        loggers=loggers,
        quiet=quiet,
    )
    return judged, step


def on_curves(
    folder: Path, results: Node, curves: Curves, seconds: Mapping[str, float], classes: int
) -> tuple[Verdict, Advice, list[Finding]]:
    """The verdict on a run's curves, the suggested next step, and findings on both and on the time."""
    cfg = files.read_config(folder)
    known = facts(cfg, classes, results)
    judged = judge(cfg, curves, known)
    words = typed(folder, cfg)
    step = advice(judged.state, cfg, words, folder, finished=results.get("status") == "finished")
    findings = [of.verdict_finding(judged, step), of.facts_of(results), of.numbers_finding(judged)]
    findings += of.sharpness_finding(curves)
    findings += of.gradient_finding(curves, partial(accepted, words)) + (
        [time_finding(dict(seconds), cfg)] if seconds else []
    )
    return judged, step, findings


def judge(cfg: Node, curves: Curves, known: Facts) -> Verdict:
    """The verdict on curves by the rules for what the task of a run predicts."""
    said = says(cfg["task"])
    if said.generates:  # room: generators
        return generator_verdict(curves, diverged=known.diverged)
    if said.predicts == BOXES:  # room: detection
        return box_verdict(curves, known)
    return verdict(curves, known)


def on_images(folder: Path, found: Predictions | None, why_not: str) -> ImageParts:
    """The task's parts on the images of a split, or why there are none; also writes their table."""
    if found is None or len(found.labels) < 2 or not found.task.report:
        missing = [failed_finding(of.PREDICTIONS, why_not)] if why_not else []
        sections: list[Section] = []
        sections += sample_section(folder)  # room: generators
        return ImageParts(findings=missing, sections=sections, figures=[], table="")
    parts = function_at(found.task.report)(found)
    if parts.table:
        files.write_text(csv_path(folder, found.split), parts.table)
    return parts


def predictions(folder: Path, *, split: str, **asked: Any) -> Predictions:
    """Predict the images of a split again.

    Raises:
        Problem: If the run has no such checkpoint, split or weights, or was trained without labels.
    """
    outcome = run_test(folder, split=split, **asked)
    if outcome.seen is None:
        raise Problem(f"split={split}: too many images for a report; `imagelab evaluate` gives their metrics")
    return of_split(outcome.data, split, outcome.weights, outcome.seen, task=outcome.task, ranks=1)


def results_of(folder: Path) -> Node:
    """The content of a run's results.json; empty if the run is still running, or was killed."""
    file = folder / files.RESULTS
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def curves_of(folder: Path) -> Curves:
    """The curves from metrics.csv or, if there is none, from the last checkpoint."""
    file = folder / "metrics.csv"
    if file.exists():
        return read_curves(file)
    return from_history(_last(folder).get("imagelab", {}).get("history", []))


def seconds_of(folder: Path, results: Node) -> dict[str, float]:
    """Seconds per phase, from results.json or the last checkpoint; empty if not measured."""
    if "time" in results:
        return results["time"]
    states = _last(folder).get("callbacks", {})
    if not {"TimeSpent", "Saver"} <= states.keys():
        return {}

    return shares(states["TimeSpent"], states["Saver"]["seconds"])


def classes_of(folder: Path, found: Predictions | None) -> int:
    """The number of classes; 0 if unknown."""
    classes = found.classes if found else _last(folder).get("imagelab", {}).get("classes", [])
    return len(classes)


def facts(cfg: Node, classes: int, results: Node) -> Facts:
    """The facts in the config that set the scale of the losses."""
    known = says(cfg["loss"]).cross_entropy and classes > 1 and says(cfg["task"]).predicts == CLASSES
    smoothing = float(cfg["loss"].get("label_smoothing", 0)) if known else 0.0
    off = smoothing / max(classes, 1)
    parts = [(1 - smoothing + off, 1), (off, classes - 1)] if smoothing else []
    return Facts(
        entropy=math.log(classes) if known else None,
        floor=-sum(count * share * math.log(share) for share, count in parts),
        mixed=bool(stating(cfg["augment"], "mixes_labels")),
        diverged=str(results.get("error", "")).startswith("Diverged"),
    )


def _last(folder: Path) -> Node:
    """The content of the last checkpoint, without loading its weights; empty if there is none."""
    file = folder / "checkpoints" / "last.ckpt"
    try:
        content = load_plain(file, mmap=True)
    except (OSError, RuntimeError):
        return {}
    expect_ours(content, file)
    return content
