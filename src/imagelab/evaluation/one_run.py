"""Test the weights of one run as the run itself does: its own data, its own trainer, one process."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch

from imagelab.build import build_classifier, build_data, build_trainer
from imagelab.checkpoints.content import better, expect_predictions, module_state
from imagelab.checkpoints.durable import read
from imagelab.config.schema import Node
from imagelab.data.preprocess import Preprocess
from imagelab.model.network import bare
from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.terminal import screen
from imagelab.training.run_card import label_marks


class Tested(NamedTuple):
    """What a test of a run gave.

    weights: The name of those that were taken. metrics: By name. data: The images. task: What was learnt.
    seen: What the network said of the split, (N, K), and the labels, (N,); None if that is too much to keep.
    """

    weights: str
    metrics: dict[str, float]
    data: Any
    task: Any
    seen: Any


def run_test(folder: Path, *, checkpoint: str, split: str, weights: str | None, root: str | None) -> Tested:
    """Test weights of a run on a split, images unchanged.

    Args:
        folder: Of the run.
        checkpoint: best, last, or the name of another without its ending.
        split: train, val or test.
        weights: raw, ema or swa; None: those that were better in validation.
        root: Where the images lie now; None: where they lay.

    Raises:
        Problem: The run has no such checkpoint, split or weights, the checkpoint is damaged, the images are
            gone, or it has learnt without labels.
    """
    screen.keep(Path(os.devnull))  # after the imports, since Lightning's takes hold of the screen
    content = checkpoint_of(folder, checkpoint)
    expect_predictions(content, folder)
    state = module_state(content, weights)
    cfg = here(files.read_config(folder), root)
    data = data_of(cfg, content["imagelab"], split)
    trainer = build_trainer(cfg, folder, logger=False, callbacks=[], enable_checkpointing=False)
    classifier = build_classifier(cfg, data, trainer, tricks={})
    classifier.load_state_dict(state)
    data.splits["test"] = data.splits[split]
    trainer.test(classifier, datamodule=data, verbose=False)
    metrics = {name.removeprefix("test/"): float(value) for name, value in trainer.callback_metrics.items()}
    seen = classifier.seen["test"]
    return Tested(weights or better(content), metrics, data, classifier.task, seen)


def checkpoint_of(folder: Path, name: str) -> Node:
    """The content of a run's best or last checkpoint, or of another.

    Raises:
        Problem: There is none, or it is damaged.
    """
    file = folder / "checkpoints" / f"{name}.ckpt"
    if name == "best" and not file.exists() and file.with_name("last.ckpt").exists():
        raise Problem(f"run={folder} has no best epoch yet: it ended in its first one; set checkpoint=last")
    return read(file)


def data_of(cfg: Node, card: Node, split: str) -> Any:
    """The images of a run, normalised as its checkpoint says.

    Args:
        cfg: As `here` gives it.
        card: Of the checkpoint.
        split: The one that is wanted.

    Raises:
        Problem: They have no such split, or other classes.
    """
    data = build_data(cfg, Preprocess.from_dict(card["preprocess"]))
    if split not in data.counts:
        raise Problem(f"split={split}: the run's data have no such split; they have {', '.join(data.counts)}")
    if data.classes != card["classes"]:
        raise Problem(
            f"the images are of other classes ({', '.join(data.classes)}) than those the run has learnt "
            f"({', '.join(card['classes'])}); set root=DIR if they have moved"
        )
    if "labels" in card and label_marks(data)[split] != card["labels"].get(split):
        screen.say(f"The images of {split} or their labels have changed since the run began.")
    return data


def here(cfg: Node, root: str | None) -> Node:
    """The config of a run, with what only training needs left out, on one device of this machine.

    Raises:
        Problem: The data of the run lie in no folder, so that there is none to change.
    """
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


def device_of(trainer: Node) -> Any:
    """The device that a run's trainer would have on this machine."""
    on_cpu = _accelerator(trainer) == "cpu" or not torch.accelerator.is_available()
    return torch.device("cpu") if on_cpu else torch.accelerator.current_accelerator()


def _accelerator(trainer: Node) -> str:
    cuda = torch.cuda.is_available()
    mps = torch.backends.mps.is_available()
    there = {"cpu": True, "gpu": cuda or mps, "cuda": cuda, "mps": mps}
    asked = str(trainer.get("accelerator", "auto"))
    return asked if there.get(asked, False) else "auto"
