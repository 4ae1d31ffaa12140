"""The command `evaluate`: the metrics of a finished run, with the run's own config and weights.

imagelab evaluate run=last
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from imagelab import cli, runs, screen
from imagelab.problem import Problem

Node = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """The root keys of configs/evaluate.yaml."""

    run: str
    checkpoint: Literal["best", "last"]
    split: Literal["train", "val", "test"]
    root: str | None


def main() -> None:
    """Evaluate a run."""
    cli.run_hydra(start, "evaluate", Evaluate)


def start(cfg: Node, _: Path) -> float:
    """Write evaluation.json into the run's folder; the accuracy."""
    folder = runs.existing(cfg["run"])
    metrics = evaluate(folder, checkpoint=cfg["checkpoint"], split=cfg["split"], root=cfg["root"])
    content = {"run": str(folder), "checkpoint": cfg["checkpoint"], "split": cfg["split"], "metrics": metrics}
    runs.write_json(folder / "evaluation.json", content)
    screen.say(table(content), f"Written to {folder / 'evaluation.json'}")
    return metrics["accuracy"]


def evaluate(folder: Path, *, checkpoint: str, split: str, root: str | None) -> dict[str, float]:
    """The metrics of a run on a split, images unchanged, by name.

    Raises:
        Problem: The run has no such checkpoint or split.
    """
    from imagelab.build import build_classifier, build_data, build_trainer
    from imagelab.checkpoint import read
    from imagelab.data.preprocess import Preprocess

    weights = read(folder / "checkpoints" / f"{checkpoint}.ckpt")
    cfg = runs.read_config(folder)
    if root is not None:
        cfg["data"]["root"] = root
    cfg["model"] |= {"weights": None} | ({"pretrained": False} if "pretrained" in cfg["model"] else {})
    data = build_data(cfg, Preprocess.from_dict(weights["imagelab"]["preprocess"]))
    if split not in data.counts:
        raise Problem(f"split={split}: the run's data have no such split; they have {', '.join(data.counts)}")
    cfg["trainer"] |= {
        "devices": 1,
        "strategy": "auto",
        "num_nodes": 1,
        "accelerator": _accelerator(cfg["trainer"]),
    }
    trainer = build_trainer(cfg, folder, logger=False, callbacks=[], enable_checkpointing=False)
    classifier = build_classifier(cfg, data, trainer)
    classifier.load_state_dict(weights["state_dict"])
    trainer.test(classifier, dataloaders=data.eval_loader(split, rank=0, ranks=1), verbose=False)
    return {name.removeprefix("test/"): float(value) for name, value in trainer.callback_metrics.items()}


def table(content: Node) -> Any:
    """The metrics, to look at."""
    from rich.table import Table

    shown = Table("metric", content["split"], title=f"{content['run']} ({content['checkpoint']} weights)")
    for name, value in content["metrics"].items():
        shown.add_row(name, f"{value:.4f}")
    return shown


def _accelerator(trainer: Node) -> str:
    import torch

    there = {"cpu": True, "gpu": torch.cuda.is_available(), "cuda": torch.cuda.is_available()}
    asked = str(trainer.get("accelerator", "auto"))
    return asked if there.get(asked, torch.backends.mps.is_available()) else "auto"


if __name__ == "__main__":
    main()
