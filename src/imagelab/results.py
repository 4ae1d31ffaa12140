"""What results.json says of a run."""

import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from imagelab.rules import RAW, metric_of
from imagelab.task_rules import task_name

PACKAGES = (
    "imagelab",
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "hydra-core",
    "albumentations",
    "timm",
    "numpy",
)


def results(status: str, cfg: dict[str, Any], parts: Any, test: dict[str, float]) -> dict[str, Any]:
    """The content of results.json; `parts` is None where the run did not come so far.

    Where weights were averaged, `val` and `test` are of those that were better in validation, which `weights`
    names, and `by_weights` has the metrics of both. `finetune` is what `finetune=auto` chose, and why; `time`
    is where the seconds of the training went.
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


def versions() -> dict[str, str]:
    """The versions of what results depend on."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_state() -> dict[str, Any]:
    """The commit of this checkout and whether files differ from it; None outside of one."""
    here = Path(__file__).parent
    commit = _git(here, "rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(_git(here, "status", "--porcelain")) if commit else None}


def _time(trainer: Any, total: float) -> dict[str, float]:
    from imagelab.time_spent import TimeSpent

    watches = [callback for callback in trainer.callbacks if isinstance(callback, TimeSpent)]
    return watches[0].shares(total) if watches else {}


def _git(folder: Path, *words: str) -> str | None:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _short(metrics: dict[str, float], split: str) -> dict[str, float]:
    return {name.removeprefix(split): value for name, value in metrics.items() if name.startswith(split)}
