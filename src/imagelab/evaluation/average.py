"""Evaluate an ensemble of several sets of weights, or one set on several views of each image."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagelab.config.make import make
from imagelab.config.monitor import headline
from imagelab.config.schema import Node
from imagelab.evaluation.disagreement import disagreement, pairwise
from imagelab.evaluation.measured import judge, measured
from imagelab.evaluation.members import (
    Member,
    changed_images,
    load_members,
    other_images,
    titles,
)
from imagelab.evaluation.one_pass import form_of, probabilities, together
from imagelab.evaluation.one_run import data_of, device_of, here
from imagelab.evaluation.outcome import Outcome, prediction_table
from imagelab.evaluation.person import beside_person
from imagelab.evaluation.shown import (
    calibration_sentence,
    disagreement_sentence,
    members_table,
    metrics_table,
    person_lines,
)
from imagelab.metrics.box_fusion import SAME  # room: detection
from imagelab.task.contract import Placing
from imagelab.terminal import screen


def average(cfg: Node, pairs: list[tuple[Path, str]]) -> Outcome:
    """Measure the mean and each member.

    Args:
        cfg: Config of the command.
        pairs: Run and checkpoint of each member.

    Raises:
        Problem: If members cannot be averaged, or the images of the first no longer exist.
    """
    screen.keep(Path(os.devnull))  # after the imports, since importing Lightning takes over the screen
    start = time.perf_counter()
    split = cfg["split"]
    first, *_ = members = load_members(pairs, cfg["weights"])
    run = here(first.cfg, cfg["root"])
    data = data_of(run, first.card, split)
    tta = make(cfg["tta"]) if cfg["tta"] else None
    size = cfg["batch_size"] or min(data.batch_size, data.counts[split])
    device = device_of(run["trainer"])
    said = probabilities(members, data, split, tta=tta, batch_size=size, device=device)
    labels = torch.from_numpy(data.splits[split].labels)
    task = judge(run, data, members)
    notes = [*other_images(members, split), *changed_images(members, data, split)]
    notes += merged_neighbours(members)  # room: detection
    content: Node = _head(cfg, members) | {"notes": notes}
    whole = together(task, said)
    content |= measured(whole, labels, task)
    shown = [f"Note: {note}" for note in content["notes"]]
    if len(members) > 1:
        content |= _compared(members, said, labels, task)
        shown += [members_table(content, headline(first.cfg)), *disagreement_sentence(content)]
    else:
        shown += [metrics_table(content)]
    content["seconds"] = round(time.perf_counter() - start, 3)
    shown += calibration_sentence(content["calibration"])
    if cfg["person"]:
        content["person"] = beside_person(cfg["person"], data.named[split], whole, task)
        shown += person_lines(content["person"])
    table = prediction_table(data, split, whole, task) if cfg["predictions"] else None
    return Outcome(content, table, shown)


def merged_neighbours(members: list[Member]) -> list[str]:  # room: detection
    """One sentence per run whose network keeps neighbouring boxes that fusion would merge."""
    found = {}
    for member in members if isinstance(members[0].predictor.task, Placing) else ():
        overlap = member.cfg["model"].get("overlap") or 0
        if overlap > SAME:
            found[member.folder] = (
                f"{member.folder}: with model.overlap={overlap:g}, boxes of a class may overlap that much, "
                f"but fusion merges those that overlap by more than {SAME:g}, so neighbours may be lost; "
                f"train with model.overlap={SAME:g}, or evaluate one run without tta."
            )
    return [*found.values()]


def _head(cfg: Node, members: list[Member]) -> Node:
    tta = None
    if cfg["tta"]:
        views = {len(form_of(member.predictor, make(cfg["tta"])).views) for member in members}
        tta = {"views": max(views)} | {key: value for key, value in cfg["tta"].items() if key != "_target_"}
        tta = {"name": str(cfg["tta"]["_target_"]).rpartition(".")[2]} | tta
    return {
        "run": _one_or_all([str(member.folder) for member in members]),
        "checkpoint": _one_or_all([member.checkpoint for member in members]),
        "split": cfg["split"],
        "weights": _one_or_all([member.weights for member in members]),
        "tta": tta,
    }


def _compared(members: list[Member], said: Tensor, labels: Tensor, task: Any) -> Node:
    rows = [
        {"name": name, "run": str(one.folder), "checkpoint": one.checkpoint, "weights": one.weights}
        | measured(mine, labels, task)
        for name, one, mine in zip(titles(members), members, said, strict=True)
    ]
    if isinstance(task, Placing):  # sets of boxes are never quite the same
        return {"members": rows}
    predicted = task.decisions(said).numpy()
    if predicted.dtype.kind == "f":  # values are never quite the same
        return {"members": rows}
    if predicted.ndim > 2:  # members agree on an image if they do on all of its classes
        sets = np.unique(predicted.reshape(-1, predicted.shape[-1]), axis=0, return_inverse=True)[1]
        predicted = sets.reshape(predicted.shape[:-1])
    return {
        "members": rows,
        "disagreement": {"share": disagreement(predicted), "pairs": pairwise(predicted).tolist()},
    }


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(set(values)) == 1 else values
