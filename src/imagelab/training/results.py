"""Compose results.json and the opening lines of a run."""

import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from imagelab.config.differences import choice_of
from imagelab.config.facts import says
from imagelab.config.rules.tasks import task_name
from imagelab.config.schema import Node
from imagelab.metrics.names import RAW, metric_of
from imagelab.metrics.table import CLASSES
from imagelab.runs.provenance import git_state, versions
from imagelab.terminal.summary import in_brief, opening
from imagelab.training.phase_timer import TimeSpent

FEWEST = 10  # steps per epoch that need no hint
SMALLEST = 4  # images in a batch that a hint proposes


def results(status: str, cfg: dict[str, Any], parts: Any, test: dict[str, float]) -> dict[str, Any]:
    """The content of results.json; `parts` is None if the run did not get that far.

    With averaged weights, `val` and `test` are those of the weights that were better in validation, which
    `weights` names, and `by_weights` has the metrics of both. `finetune` is what `finetune=auto` chose, and
    why; `time` is the training time per phase.
    """
    content: dict[str, Any] = {"status": status, "task": task_name(cfg), "seed": cfg["seed"]}
    said = says(cfg["task"])
    content |= {"predicts": said.predicts}
    content |= {"generates": said.generates}  # room: generators
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
            "images_per_second": _rounded(images / max(saver.seconds, 1e-9)),
            "parameters": sum(p.numel() for p in parts.classifier.net.parameters()),
            "best": best,
            "weights": saver.best.get("weights", RAW),
            **sets[saver.best.get("weights", RAW)],
        }
        content |= {"extra": parts.data.extra.facts()} if parts.data.extra else {}
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
    shown = opening(
        labels=in_brief(data.classes, what(says(cfg["task"]).predicts)),
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
    hint = few_steps_hint(parts)
    return Group(shown, Text(f"Hint: {hint}.")) if hint else shown


def what(predicts: str) -> str:
    """What the names of a data set are, in words: those of boxes are classes, too.

    >>> what("values"), what("boxes"), what("")
    ('values', 'classes of boxes', 'classes')
    """
    return {"boxes": "classes of boxes"}.get(predicts, predicts) or CLASSES


def few_steps_hint(parts: Any) -> str:
    """Suggest a smaller batch if an epoch has few steps; empty if it has enough, or is limited."""
    plan, ranks = parts.classifier.step_plan, parts.trainer.world_size
    if parts.data.full_batch or plan.batches < parts.data.steps(ranks):  # limit_train_batches
        return ""
    images = parts.data.counts["train"]
    batch = parts.data.batch(ranks)
    return smaller_batch(images, batch, plan.steps(0), ranks, parts.trainer.accumulate_grad_batches)


def smaller_batch(images: int, batch: int, steps: int, ranks: int = 1, accumulated: int = 1) -> str:
    """A hint that asks for smaller batches if an epoch has fewer than `FEWEST` steps.

    >>> smaller_batch(80, batch=32, steps=2)
    '2 steps per epoch are few for training; data.batch_size=8 makes 10'
    >>> smaller_batch(1300, batch=128, steps=10), smaller_batch(30, batch=4, steps=7)  # enough, none smaller
    ('', '')

    Args:
        images: Number of training images.
        batch: Images per batch and device.
        steps: Optimizer steps per epoch.
        ranks: Number of devices.
        accumulated: Batches per optimizer step.
    """
    small = max(SMALLEST, 1 << (max(1, images // (FEWEST * ranks)).bit_length() - 1))
    words = ["trainer.accumulate_grad_batches=1"] * (accumulated > 1)
    words += [f"data.batch_size={small}"] * (small < batch)
    if steps >= FEWEST or not words:
        return ""
    few = "1 step per epoch is" if steps == 1 else f"{steps} steps per epoch are"
    return f"{few} few for training; {' '.join(words)} makes {images // (min(small, batch) * ranks)}"


def model_name(model: Node) -> str:
    """The name by which a model was chosen: that of the library, of the choice, or of a class of one's own.

    >>> model_name({"_target_": "imagelab.model.timm.timm_model", "name": "resnet18"})
    'resnet18'
    >>> model_name({"_target_": "imagelab.model.small_cnn.SmallCNN"}), model_name({"_target_": "mine.net"})
    ('small_cnn', 'net')
    """
    return str(model.get("name") or choice_of("model", model))


def _time(trainer: Any, total: float) -> dict[str, float]:
    watches = [callback for callback in trainer.callbacks if isinstance(callback, TimeSpent)]
    return watches[0].shares(total) if watches else {}


def _rounded(rate: float) -> float:
    """A rate with one decimal, or three digits if it is small."""
    return round(rate, 1) if rate >= 10 else float(f"{rate:.3g}")


def _short(metrics: dict[str, float], split: str) -> dict[str, float]:
    return {name.removeprefix(split): value for name, value in metrics.items() if name.startswith(split)}
