"""Compose results.json and the opening lines of a run."""

import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from imagelab.config.rules.tasks import task_name
from imagelab.config.schema import Node
from imagelab.metrics.names import RAW, metric_of
from imagelab.runs.provenance import git_state, versions
from imagelab.terminal.summary import opening
from imagelab.training.phase_timer import TimeSpent


def results(status: str, cfg: dict[str, Any], parts: Any, test: dict[str, float]) -> dict[str, Any]:
    """The content of results.json; `parts` is None if the run did not get that far.

    With averaged weights, `val` and `test` are those of the weights that were better in validation, which
    `weights` names, and `by_weights` has the metrics of both. `finetune` is what `finetune=auto` chose, and
    why; `time` is the training time per phase.
    """
    content: dict[str, Any] = {"status": status, "task": task_name(cfg), "seed": cfg["seed"]}
    if parts is not None:
        trainer, saver = parts.trainer, parts.saver
        loop = trainer.fit_loop
        images = (
            (loop.epoch_loop.total_batch_idx + 1) * parts.data.batch(trainer.world_size) * trainer.world_size
        )
        best = {key: saver.best.get(key) for key in ("epoch", "monitor", "value")}
        metrics = saver.best.get("metrics", {}) | test
        sets = {
            weights: {split: _short(metrics, metric_of(f"{split}/", weights)) for split in ("val", "test")}
            for weights in saver.best.get("values", [RAW])
        }
        content |= {
            "epochs": loop.epoch_progress.current.processed,
            "steps": trainer.global_step,
            "train_seconds": round(saver.seconds, 3),
            "time": _time(trainer, saver.seconds),
            "images_per_second": round(images / max(saver.seconds, 1e-9), 1),
            "parameters": sum(p.numel() for p in parts.classifier.net.parameters()),
            "best": best,
            "weights": saver.best.get("weights", RAW),
            **sets[saver.best.get("weights", RAW)],
        }
        content |= {"by_weights": sets} if len(sets) > 1 else {}
        content |= {key: value for key, value in parts.classifier.card.items() if key == "finetune"}
    return content | {"versions": versions(), "git": git_state(), "command": shlex.join(sys.orig_argv[1:])}


def opening_of(cfg: Node, parts: Any, folder: Path) -> RenderableType:
    """The lines that the screen shows at the start of a run."""
    data = parts.data
    trainer = parts.trainer
    classifier = parts.classifier
    plan = classifier.step_plan
    own = cfg["optimizer"]
    device = trainer.strategy.root_device.type
    note = f"{own['lr']:g} for {own['lr_base_batch']:,} images, {own['lr_scaling']}"
    return opening(
        classes=data.classes,
        counts=data.counts,
        model=model_name(cfg["model"]),
        parameters=sum(p.numel() for p in classifier.net.parameters()),
        device=device if trainer.world_size == 1 else f"{trainer.world_size} x {device}",
        batch_sizes=[plan.batch_size(epoch) for epoch in range(trainer.max_epochs)],
        epochs=trainer.max_epochs,
        steps=plan.total,
        lr=max(group["lr"] for group in classifier.groups),
        lr_note=note if own["lr_scaling"] != "none" else "",
        folder=folder,
    )


def model_name(model: Node) -> str:
    """The name by which a model was chosen: that of the library, or of the class or function of its config.

    >>> model_name({"_target_": "imagelab.model.timm.timm_model", "name": "resnet18"})
    'resnet18'
    >>> model_name({"_target_": "imagelab.model.linear.linear", "pixel_dropout": 0.0})  # a Sequential
    'linear'
    """
    return str(model.get("name") or model["_target_"].rpartition(".")[2])


def _time(trainer: Any, total: float) -> dict[str, float]:
    watches = [callback for callback in trainer.callbacks if isinstance(callback, TimeSpent)]
    return watches[0].shares(total) if watches else {}


def _short(metrics: dict[str, float], split: str) -> dict[str, float]:
    return {name.removeprefix(split): value for name, value in metrics.items() if name.startswith(split)}
