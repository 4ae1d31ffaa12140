"""Show an evaluation on the terminal."""

import numpy as np
from rich import box
from rich.table import Table

from imagelab.config.schema import Node
from imagelab.evaluation.person import sentence
from imagelab.metrics.table import LOSS

MEAN = "mean of all"


def metrics_table(content: Node) -> Table:
    """A table of the metrics of one run."""
    title = f"{content['run']}, {content['checkpoint']} epoch, {content['weights']} weights"
    title += f", mean of {content['tta']['views']} views" if content["tta"] else ""
    shown = _table(title)
    shown.add_column("")
    shown.add_column(content["split"], justify="right")
    for name, value in content["metrics"].items():
        shown.add_row(name, f"{value:.4f}")
    return shown


def members_table(content: Node, headline: str) -> Table:
    """A table with one row per member, and one for their mean.

    Args:
        content: Content of evaluation.json.
        headline: Name of the metric that members are judged by.
    """
    figures = {headline: "metrics", LOSS: "metrics"}
    figures |= {"nll": "calibration", "ece": "calibration"} if content["calibration"] else {}
    views = f", mean of {content['tta']['views']} views each" if content["tta"] else ""
    shown = _table(f"{len(content['members'])} members on {content['split']}{views}")
    for name in ("", *figures):
        shown.add_column(name, justify="right" if name else "left")
    for row in [*content["members"], content | {"name": MEAN}]:
        numbers = [(row[place] or {}).get(name) for name, place in figures.items()]
        last = row["name"] == MEAN
        shown.add_row(
            row["name"], *("" if n is None else f"{n:.4f}" for n in numbers), style="bold" if last else ""
        )
    return shown


def disagreement_sentence(content: Node) -> list[str]:
    """A sentence on how often members disagree, with the pairs that disagree least and most, if counted."""
    if "disagreement" not in content:
        return []
    found = content["disagreement"]
    names = [row["name"] for row in content["members"]]
    said = f"The members disagree on {found['share']:.1%} of the images"
    if len(names) < 3:
        return [f"{said}."]
    pairs = np.array(found["pairs"])
    rows, columns = np.triu_indices(len(names), k=1)
    values = pairs[rows, columns]
    ends = [int(values.argmin()), int(values.argmax())]
    told = [f"{values[i]:.1%} ({names[rows[i]]} and {names[columns[i]]})" for i in ends]
    return [f"{said}; of pairs, on {told[0]} to {told[1]}."]


def calibration_sentence(found: Node | None) -> list[str]:
    """A sentence on calibration, if it was measured."""
    if found is None:
        return []
    low, high = found["interval"]
    scaling = (
        f"dividing logits by {found['temperature']:.3g} lowers it from {found['before']:.4f} to "
        f"{found['after']:.4f} on images that it was not fitted on"
        if found["helps"]
        else "no temperature lowers it beyond this interval"
    )
    return [f"Calibration error {found['ece']:.4f} (95% interval: {low:.4f} to {high:.4f}); {scaling}."]


def person_lines(found: Node) -> list[Table | str]:
    """A person's accuracy beside the model's on the same images, and whether they differ."""
    shown = _table(f"{found['images']:,} images that a person labelled ({found['file']})")
    for name in ("", "accuracy", "95% interval"):
        shown.add_column(name, justify="right" if name else "left")
    for who in ("person", "model"):
        low, high = found[who]["interval"]
        shown.add_row(who, f"{found[who]['accuracy']:.4f}", f"{low:.4f} to {high:.4f}")
    return [shown, sentence(found)]


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
