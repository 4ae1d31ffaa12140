"""Build the parts of the run to check, on one device, without leaving files behind."""

from pathlib import Path

import torch

from imagelab.build import build_classifier, build_data, build_trainer, build_tricks
from imagelab.checks.subject import Subject
from imagelab.config.schema import Node
from imagelab.contracts import Prepares
from imagelab.finetune.choose import resolve_finetune
from imagelab.loading import load_named
from imagelab.model.network import model_to_start
from imagelab.training.feasibility import refuse_impossible
from imagelab.training.guidance import guide

ALONE = {"devices": 1, "num_nodes": 1, "strategy": "auto", "sync_batchnorm": False}


def prepare(cfg: Node, folder: Path, *, seconds: float) -> Subject:
    """Build the parts of a run as `train` would, only to check them.

    Args:
        cfg: Config of the run.
        folder: Temporary folder for files that parts write.
        seconds: See `Subject`.

    Raises:
        Problem: The run could not start.
    """
    cfg, _ = resolve_finetune(cfg, None, build_data)
    cfg = cfg | {
        "model": model_to_start(cfg, None),
        "trainer": cfg["trainer"] | ALONE | {"compile": False},
        "data": cfg["data"] | {"workers": 0},
        "logger": {},
    }
    data = build_data(cfg)
    tricks = build_tricks(cfg["trick"], folder=folder, seed=cfg["seed"])
    trainer = build_trainer(cfg, folder, callbacks=[], logger=False, enable_checkpointing=False)
    classifier = build_classifier(cfg, data, trainer, tricks)
    steps = classifier.step_plan.total
    refuse_impossible(
        cfg, classes=data.classes, warmup=classifier.schedule.warmup_steps(steps), total_steps=steps
    )
    guide(classifier, cfg, data, tricks, load_named, None)
    classifier.guides = []  # the checks know what a loss of labels should do
    for trick in tricks.values():
        if isinstance(trick, Prepares):
            with torch.no_grad():
                trick.prepare(classifier, data)
    return Subject(cfg=cfg, data=data, classifier=classifier, tricks=tricks, seconds=seconds)
