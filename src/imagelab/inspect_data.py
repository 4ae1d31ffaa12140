"""Run the command `inspect`: examine the data before training on them.

imagelab inspect data=folder data.root=photos

Takes the overrides of `train`. A question is a function of the scanned images (`inspection/scan.py`), the
config and the output folder, and returns findings and sections of the page (`inspection/answer.py`).
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagelab import launch
from imagelab.config import schema
from imagelab.config.facts import says
from imagelab.config.rules.signals import columns_beside
from imagelab.config.schema import Node
from imagelab.data.labels import kind_of
from imagelab.finding import Finding, taking, timed, worst
from imagelab.inspection.command import FOLDER
from imagelab.problem import Problem
from imagelab.terminal import screen

WHAT = {
    "class": "classes",
    "multilabel": "labels",
    "values": "values",
    "boxes": "classes of boxes",  # room: detection
}

NETWORK = {  # room: model/efficientnet_lite0
    "_target_": "imagelab.model.efficientnet_lite0.efficientnet_lite0",
    "pretrained": True,
    "weights": None,
}

if TYPE_CHECKING:
    from imagelab.inspection.answer import Question


@dataclass(frozen=True, kw_only=True)
class Inspect(schema.Run):
    """The root keys of configs/inspect.yaml."""

    split: Literal["repaired"] | None
    labels: bool | str
    raters: str | list[str] | None
    features: Literal["weights"] | None
    annotate: int | str | None
    port: int

    @classmethod
    def builds(cls, cfg: Node) -> set[str]:
        """Only the images of a folder, so that torch is not imported; everything if it is needed anyway."""
        augmented = any(name != "none" for name in cfg["augment"])
        asked = cfg["labels"] or cfg["features"] or cfg["annotate"]
        torch = augmented or asked or cfg["data"]["_target_"] != FOLDER
        return set(cfg) if torch else {"data"}


def main() -> None:
    """Inspect a data set."""
    launch.run_hydra(start, "inspect", Inspect)


def questions(cfg: Node) -> "list[Question]":
    """The questions, in the order of the page; those that import torch only if requested."""
    from imagelab.inspection.classes import class_distribution
    from imagelab.inspection.copies import copies
    from imagelab.inspection.files import files
    from imagelab.inspection.outliers import outliers
    from imagelab.inspection.signal import labels_follow
    from imagelab.inspection.tags import tag_distribution
    from imagelab.inspection.values import value_distribution

    of_labels = {"multilabel": tag_distribution, "values": value_distribution}
    distribution = of_labels.get(says(cfg["task"]).takes, class_distribution)
    asked: list[Question] = [distribution, files, copies, outliers, labels_follow]
    if says(cfg["task"]).takes == "boxes":  # room: detection
        from imagelab.inspection.boxes import box_distribution, boxes_follow

        asked = [box_distribution, files, copies, outliers, boxes_follow]
    asked += _of_data(cfg)
    if cfg["labels"]:
        from imagelab.inspection.suspects import label_errors

        asked.append(label_errors)
    if cfg["raters"]:
        from imagelab.inspection.raters import raters

        asked.append(raters)
    if "augment" in Inspect.builds(cfg):
        from imagelab.inspection.contact_sheet import net_inputs

        asked.append(net_inputs)
    if says(cfg["task"]).takes == "boxes":  # room: detection
        from imagelab.inspection.box_sheet import net_boxes

        asked[-1] = net_boxes
    return asked


def _of_data(cfg: Node) -> "list[Question]":
    """The questions about what a config adds to images and labels."""
    asked: list[Question] = []
    if columns_beside(cfg):
        from imagelab.inspection.signals import signal_columns

        asked.append(signal_columns)
    if cfg["data"]["extra"]:
        from imagelab.inspection.extra import extra_images

        asked.append(extra_images)
    return asked


def start(cfg: Node, folder: Path) -> None:
    """Write inspection.json, inspection.html and the tables beside them into a new folder."""
    refuse(cfg)
    if cfg["annotate"]:
        from imagelab.inspection.annotate import annotate

        annotate(cfg, folder)
        return
    try:
        _inspect(cfg, folder)
    except Problem:
        for entry in folder.iterdir():  # tables of an earlier inspection
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        raise


def refuse(cfg: Node) -> None:
    """Raise a Problem if the overrides conflict, before any image is read."""
    words = {"split=repaired": cfg["split"], "labels": cfg["labels"], "raters": cfg["raters"]}
    others = [word for word, said in words.items() if said]
    if cfg["annotate"] and others:
        raise Problem(f"annotate: only opens the annotation page; leave out {' and '.join(others)}")
    if cfg["split"] == "repaired" and cfg["data"]["_target_"] != FOLDER:
        name = cfg["data"]["_target_"].rpartition(".")[2]
        raise Problem(f"split=repaired: needs image files, got {name}; set data=folder data.root=DIR")
    if cfg["raters"]:
        from imagelab.inspection.raters import raters_of

        raters_of(cfg["raters"])
    if isinstance(cfg["labels"], str):
        from imagelab.inspection.given_predictions import read_table

        read_table(Path(cfg["labels"]).expanduser())


def _inspect(cfg: Node, folder: Path) -> None:
    from imagelab.inspection.all_images import all_images
    from imagelab.inspection.collection import collect
    from imagelab.inspection.repair import REPAIRED, refuse_strange_names
    from imagelab.inspection.scan import scan
    from imagelab.logger.reporting import loggers_of
    from imagelab.pages.publish import publish

    if cfg["features"]:  # room: model/efficientnet_lite0
        cfg = cfg | {"model": schema.split("model", cfg["model"])[1] | NETWORK}
    images = collect(cfg)
    if cfg["split"]:
        refuse_strange_names(images)
    with timed() as spent:
        seen = scan(images, folder)
    findings = [_looked(seen, spent[0])]
    sections = []
    marks = dict[str, Any]()
    for ask in questions(cfg):
        with timed() as spent:
            answer = ask(seen, cfg, folder)
        findings += [taking(finding, spent[0]) for finding in answer.findings]
        sections += answer.sections
        marks |= answer.marks
    sections.append(all_images(seen, marks, folder))
    publish(
        folder,
        "inspection",
        title="Inspection of " + _subject(seen, cfg),
        summary=_summary(seen, findings),
        findings=findings,
        sections=sections,
        loggers=loggers_of(cfg, folder),
    )
    screen.say(*[f"train: {finding.fix}" for finding in findings if finding.name == REPAIRED])


def _looked(seen: Any, seconds: float) -> Finding:
    count = int(seen.readable.sum())
    fact = Finding(name="images", status="INFO", value=count, expected="", why="each looked at once", fix="")
    return taking(fact, seconds)


def _subject(seen: Any, cfg: Node) -> str:
    found = seen.images.walk
    return found.root.name if found else cfg["data"]["_target_"].rpartition(".")[2]


def _summary(seen: Any, findings: list[Finding]) -> str:
    counts = readable_counts(seen)
    splits = ", ".join(f"{split} {count:,}" for split, count in counts.items())
    faults = f", {len(seen.faults):,} more cannot be read" if seen.faults else ""
    status = worst(findings)
    told = [finding.name for finding in findings if finding.status == status and status in ("FAIL", "WARN")]
    verdict = f"{status}: {'; '.join(told)}." if told else "No problems found."
    what = f"{len(seen.images.classes)} {WHAT[kind_of(seen.images.labels)]}"
    return f"{sum(counts.values()):,} images of {what} ({splits}){faults}. {verdict}"


def readable_counts(seen: Any) -> dict[str, int]:
    """The number of images that training would use, by split."""
    return {split: int((seen.readable & (seen.images.splits == split)).sum()) for split in seen.images.parts}


if __name__ == "__main__":
    main()
