"""Evaluate one set of weights on each image once, exactly as the run's own test does."""

from pathlib import Path
from typing import Any

from imagelab.config.schema import Node
from imagelab.evaluation.one_run import run_test
from imagelab.evaluation.outcome import Outcome, prediction_table
from imagelab.evaluation.person import beside_person
from imagelab.evaluation.shown import calibration_sentence, metrics_table, person_lines
from imagelab.metrics.table import BOXES  # room: detection
from imagelab.problem import Problem


def refuse_boxes(task: Any) -> None:  # room: detection
    """Raise a Problem if a task predicts boxes, which the table of predictions does not hold."""
    if task.predicts == BOXES:
        raise Problem("predictions: the table has no columns for boxes; set predictions=false")


def once(cfg: Node, folder: Path, checkpoint: str) -> Outcome:
    """Measure a checkpoint; the metrics equal those of the run to the last digit.

    Args:
        cfg: Config of the command.
        folder: Folder of the run.
        checkpoint: best, last, or the name of another checkpoint.

    Raises:
        Problem: As in `run_test`, or if predictions are requested and there are too many to keep.
    """
    split = cfg["split"]
    found = run_test(folder, checkpoint=checkpoint, split=split, weights=cfg["weights"], root=cfg["root"])
    asked = {"run": str(folder), "checkpoint": checkpoint, "split": split, "weights": found.weights}
    content = asked | {"tta": None, "metrics": found.metrics, "calibration": None}
    shown = [metrics_table(content)]
    table = None
    if found.seen is not None:
        outputs, labels = found.seen
        content["calibration"] = found.task.calibration(outputs, labels)
        shown += calibration_sentence(content["calibration"])
    if cfg["person"]:
        if found.seen is None:
            raise Problem("person: there are too many predictions to keep; leave it out")
        said = found.task.predictions(found.seen[0])
        content["person"] = beside_person(cfg["person"], found.data.named[split], said, found.task)
        shown += person_lines(content["person"])
    if cfg["predictions"]:
        refuse_boxes(found.task)  # room: detection
        if found.seen is None:
            raise Problem("predictions: there are too many to keep; set predictions=false")
        table = prediction_table(found.data, split, found.task.predictions(found.seen[0]), found.task)
    return Outcome(content, table, shown)
