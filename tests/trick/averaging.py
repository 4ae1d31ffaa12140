"""Runs whose weights are recorded on the way, to compare averages of them with."""

import shutil
from pathlib import Path

import torch
from lightning import Callback
from torch import Tensor

from imagelab.build import Parts
from imagelab.trick.weight_average import WeightAverage
from tests.fitting import built

SMALL = ["trainer=cpu", "data.limit=130", "data.batch_size=32", "logger=[]", "model.dropout=0.2"]
Weights = dict[str, Tensor]


class Record(Callback):
    """The network's weights after every optimizer step, and a copy of the checkpoint after some of them."""

    def __init__(self, copy_at: int | None = None) -> None:
        self.steps: list[Weights] = []
        self.copy_at = copy_at

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if trainer.global_step > len(self.steps):
            self.steps.append({name: value.clone() for name, value in pl_module.net.state_dict().items()})
            if len(self.steps) == self.copy_at:
                pl_module.trainer.save_checkpoint(Path(trainer.default_root_dir) / "copy.ckpt")


def recorded(words: list[str], folder: Path, copy_at: int | None = None) -> tuple[Parts, list[Weights]]:
    """A run's parts after training, and its raw weights after every optimizer step."""
    parts, record = built([*SMALL, *words], folder), Record(copy_at)
    parts.trainer.callbacks.append(record)  # pyright: ignore[reportAttributeAccessIssue]
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return parts, record.steps


def average_of(parts: Parts) -> WeightAverage:
    """The trick of a run that averages its weights."""
    return next(one for one in parts.trainer.callbacks if isinstance(one, WeightAverage))  # pyright: ignore[reportAttributeAccessIssue]


def last(folder: Path) -> dict:
    """What a run's last checkpoint holds, without what depends on the clock."""
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    kept = {
        key: content[key] for key in ("state_dict", "averages", "weights", "global_step") if key in content
    }
    return kept | {"optimizer": content["optimizer_states"][0]}


def resumed(words: list[str], folder: Path, checkpoint: Path) -> Parts:
    """A run that went on from a checkpoint of another, in a folder of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    parts = built([*SMALL, *words], folder)
    parts.trainer.fit(parts.classifier, datamodule=parts.data, ckpt_path=checkpoint)
    return parts
