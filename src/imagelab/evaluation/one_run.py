"""Test the weights of one run as the run itself does: its own data, its own trainer, one process."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch

from imagelab.build import build_classifier, build_data, build_trainer
from imagelab.checkpoints.content import better, expect_ours, expect_predictions, module_state
from imagelab.checkpoints.durable import read
from imagelab.config.schema import Node
from imagelab.data.preprocess import Preprocess
from imagelab.model.network import bare
from imagelab.problem import Problem, first_line
from imagelab.runs import files
from imagelab.terminal import screen
from imagelab.training.run_card import label_marks


class Tested(NamedTuple):
    """The result of testing a run.

    weights: Name of the tested weights. metrics: Metrics by name. data: Data with the images. task: Task.
    seen: Outputs for the split, (N, K), and its labels, (N,); None if they are too large to keep.
    """

    weights: str
    metrics: dict[str, float]
    data: Any
    task: Any
    seen: Any


def run_test(folder: Path, *, checkpoint: str, split: str, weights: str | None, root: str | None) -> Tested:
    """Test weights of a run on a split, without augmentation.

    Args:
        folder: Folder of the run.
        checkpoint: best, last, or the name of another checkpoint, without suffix.
        split: train, val or test.
        weights: raw, ema or swa; None: those that were better in validation.
        root: Folder with the images now; None: the same as in training.

    Raises:
        Problem: If the run has no such checkpoint, split or weights, the checkpoint is damaged, the images no
            longer exist, or the run was trained without labels.
    """
    screen.keep(Path(os.devnull))  # after the imports, since importing Lightning takes over the screen
    content = checkpoint_of(folder, checkpoint)
    expect_predictions(content, folder)
    state = module_state(content, weights)
    cfg = here(files.read_config(folder), root)
    data = data_of(cfg, content["imagelab"], split)
    trainer = build_trainer(cfg, folder, logger=False, callbacks=[], enable_checkpointing=False)
    classifier = build_classifier(cfg, data, trainer, tricks={})
    try:
        classifier.load_state_dict(state)
    except RuntimeError as error:
        raise Problem(
            f"the weights in {folder / 'checkpoints'} are not those of the network in "
            f"{folder / files.CONFIG} ({first_line(error)})"
        ) from error
    for parts in (data.splits, data.signals):
        parts |= {"test": parts[split]} if parts else {}
    trainer.test(classifier, datamodule=data, verbose=False)
    metrics = {name.removeprefix("test/"): float(value) for name, value in trainer.callback_metrics.items()}
    seen = classifier.seen["test"]
    return Tested(weights or better(content), metrics, data, classifier.task, seen)


def checkpoint_of(folder: Path, name: str) -> Node:
    """Read the best, last or another checkpoint of a run.

    Raises:
        Problem: If it is missing or damaged, or another program's.
    """
    file = folder / "checkpoints" / f"{name}.ckpt"
    if name == "best" and not file.exists() and file.with_name("last.ckpt").exists():
        raise Problem(f"run={folder} has no best epoch, since it ended in its first one; set checkpoint=last")
    content = read(file)
    expect_ours(content, file)
    return content


def data_of(cfg: Node, card: Node, split: str) -> Any:
    """Build the data of a run, normalised as in its checkpoint.

    Args:
        cfg: Config as returned by `here`.
        card: Card of the checkpoint.
        split: Split to evaluate.

    Raises:
        Problem: If the data have no such split, or other classes.
    """
    data = build_data(cfg, Preprocess.from_dict(card["preprocess"]))
    if split not in data.counts:
        raise Problem(
            f"split={split}: the run's data have no such split; choose from {', '.join(data.counts)}"
        )
    if data.classes != card["classes"]:
        raise Problem(
            f"the images have other classes ({', '.join(data.classes)}) than the run was trained on "
            f"({', '.join(card['classes'])}); set root=DIR if they have moved"
        )
    if have_changed(data, card, split):
        screen.say(f"The images of {split} or their labels have changed since the run began.")
    return data


def have_changed(data: Any, card: Node, split: str) -> bool:
    """Whether the images of a split or their labels differ from those in the card of a checkpoint."""
    return "labels" in card and label_marks(data)[split] != card["labels"].get(split)


def here(cfg: Node, root: str | None) -> Node:
    """The config of a run for evaluation on one device of this machine, on images of its data set only.

    Raises:
        Problem: If `root` is given but the run's data have no folder.
    """
    data = cfg["data"] | {"extra": None}
    trainer = cfg["trainer"]
    if root is not None:
        if "root" not in data:
            raise Problem(f"root={root}: {data['_target_'].rpartition('.')[2]} has no folder; leave it out")
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
    """The device that a run's trainer would use on this machine."""
    on_cpu = _accelerator(trainer) == "cpu" or not torch.accelerator.is_available()
    return torch.device("cpu") if on_cpu else torch.accelerator.current_accelerator()


def _accelerator(trainer: Node) -> str:
    cuda = torch.cuda.is_available()
    mps = torch.backends.mps.is_available()
    there = {"cpu": True, "gpu": cuda or mps, "cuda": cuda, "mps": mps}
    asked = str(trainer.get("accelerator", "auto"))
    return asked if there.get(asked, False) else "auto"
