"""The command `evaluate`: the metrics of a finished run, with the run's own config and weights.

imagelab evaluate run=last
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from imagelab import cli, runs, screen
from imagelab.problem import Problem

Node = dict[str, Any]
RESULT = "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """The root keys of configs/evaluate.yaml."""

    run: str | list[str]
    checkpoint: Literal["best", "last"]
    split: Literal["train", "val", "test"]
    weights: str | None
    root: str | None


def main() -> None:
    """Evaluate a run."""
    cli.run_hydra(start, "evaluate", Evaluate)


def start(cfg: Node, _: Path) -> float:
    """Write evaluation.json into the run's folder; the accuracy is what a sweep compares."""
    folder = runs.existing(_one(cfg["run"]))
    asked = {key: cfg[key] for key in ("checkpoint", "split", "weights")}
    weights, metrics = evaluate(folder, root=cfg["root"], **asked)
    content = {"run": str(folder)} | asked | {"weights": weights, "metrics": metrics}
    runs.write_json(folder / RESULT, content)
    screen.say(table(content), f"Written to {folder / RESULT}")
    return metrics["accuracy"]


def evaluate(
    folder: Path, *, checkpoint: str, split: str, weights: str | None, root: str | None
) -> tuple[str, dict[str, float]]:
    """Which weights of a run were taken, and their metrics on a split, images unchanged, by name."""
    found = tested(folder, checkpoint=checkpoint, split=split, weights=weights, root=root)
    return found.weights, found.metrics


class Tested(NamedTuple):
    """What a test of a run gave.

    weights: The name of those that were taken. metrics: By name. data: The images. seen: What the network
    said of the split, (N, K), and the labels, (N,); None where that is too much to keep.
    """

    weights: str
    metrics: dict[str, float]
    data: Any
    seen: Any


def tested(folder: Path, *, checkpoint: str, split: str, weights: str | None, root: str | None) -> Tested:
    """Test weights of a run on a split, images unchanged.

    Args:
        folder: Of the run.
        checkpoint: best or last.
        split: train, val or test.
        weights: raw, ema or swa; None: those that were better in validation.
        root: Where the images lie now; None: where they lay.

    Raises:
        Problem: The run has no such checkpoint, split or weights, the checkpoint is damaged, the images are
            gone, or it has learnt without labels.
    """
    from imagelab.build import build_classifier, build_data, build_trainer
    from imagelab.checkpoint import better, expect_classes, module_state
    from imagelab.data.preprocess import Preprocess

    screen.keep(Path(os.devnull))  # after the imports, since Lightning's takes hold of the screen
    content = checkpoint_of(folder, checkpoint)
    expect_classes(content, folder)
    state = module_state(content, weights)
    cfg = here(runs.read_config(folder), root)
    data = build_data(cfg, Preprocess.from_dict(content["imagelab"]["preprocess"]))
    _check_data(data, split, content["imagelab"]["classes"])
    trainer = build_trainer(cfg, folder, logger=False, callbacks=[], enable_checkpointing=False)
    classifier = build_classifier(cfg, data, trainer, tricks={})
    classifier.load_state_dict(state)
    data.splits["test"] = data.splits[split]
    trainer.test(classifier, datamodule=data, verbose=False)
    metrics = {name.removeprefix("test/"): float(value) for name, value in trainer.callback_metrics.items()}
    return Tested(weights or better(content), metrics, data, classifier.seen["test"])


def checkpoint_of(folder: Path, name: str) -> Node:
    """The content of a run's best or last checkpoint.

    Raises:
        Problem: There is none, or it is damaged.
    """
    from imagelab.checkpoint import read

    file = folder / "checkpoints" / f"{name}.ckpt"
    if name == "best" and not file.exists() and file.with_name("last.ckpt").exists():
        raise Problem(f"run={folder} has no best epoch yet: it ended in its first one; say checkpoint=last")
    return read(file)


def here(cfg: Node, root: str | None) -> Node:
    """The config of a run, with what only training needs left out, on one device of this machine.

    Raises:
        Problem: The data of the run lie in no folder, so that there is none to change.
    """
    from imagelab.predictor import bare

    data, trainer = cfg["data"], cfg["trainer"]
    if root is not None:
        if "root" not in data:
            raise Problem(
                f"root={root}: {data['_target_'].rpartition('.')[2]} lies in no folder; leave it out"
            )
        data = data | {"root": root}
    device = {"accelerator": _accelerator(trainer), "devices": 1, "strategy": "auto", "num_nodes": 1}
    return cfg | {
        "data": data,
        "augment": {},
        "finetune": None,
        "model": bare(cfg["model"]),
        "trainer": trainer | device,
    }


def table(content: Node) -> Any:
    """The metrics, to look at."""
    from rich import box
    from rich.table import Table

    title = f"{content['run']}, {content['checkpoint']} epoch, {content['weights']} weights"
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    shown.add_column("")
    shown.add_column(content["split"], justify="right")
    for name, value in content["metrics"].items():
        shown.add_row(name, f"{value:.4f}")
    return shown


def _one(run: str | list[str]) -> str:
    if isinstance(run, str):
        return run
    raise Problem(
        f"run=[{','.join(run)}]: several runs as one ensemble are for a later version; "
        f"one after the other: imagelab evaluate -m run={','.join(run)}"
    )


def _check_data(data: Any, split: str, classes: list[str]) -> None:
    if split not in data.counts:
        raise Problem(f"split={split}: the run's data have no such split; they have {', '.join(data.counts)}")
    if data.classes != classes:
        raise Problem(
            f"the images are of other classes ({', '.join(data.classes)}) than those the run has learnt "
            f"({', '.join(classes)}); say root=DIR if they have moved"
        )


def _accelerator(trainer: Node) -> str:
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    there = {"cpu": True, "gpu": cuda or mps, "cuda": cuda, "mps": mps}
    asked = str(trainer.get("accelerator", "auto"))
    return asked if there.get(asked, False) else "auto"


if __name__ == "__main__":
    main()
