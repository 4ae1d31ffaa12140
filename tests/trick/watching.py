"""Runs that are watched, to compare with others that are not, and with such as went on."""

from pathlib import Path
from typing import Any

import torch
from lightning import Callback
from torch import Tensor

from imagelab.build import Parts
from tests.fitting import built

SMALL = ["trainer=cpu", "data.limit=130", "data.batch_size=32", "trainer.log_every_n_steps=1"]


class CopyAt(Callback):
    """Saves a checkpoint of its own after some optimizer step, in the middle of an epoch."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "copy.ckpt")


def watched(words: list[str], folder: Path, *, copy_at: int = -1, go_on: Path | None = None) -> Parts:
    """A run of these words, trained; a copy of its checkpoint lies in copy.ckpt where asked for."""
    parts = built([*SMALL, *words], folder)
    parts.trainer.callbacks.append(CopyAt(copy_at))  # pyright: ignore[reportAttributeAccessIssue]
    parts.trainer.fit(parts.classifier, datamodule=parts.data, ckpt_path=go_on)
    return parts


def state(parts: Parts) -> dict[str, Tensor]:
    """Weights and buffers, and what the optimizer remembers."""
    memory = parts.trainer.optimizers[0].state_dict()["state"]
    moments = {
        f"{i}.{k}": v for i, one in memory.items() for k, v in one.items() if isinstance(v, torch.Tensor)
    }
    return parts.classifier.state_dict() | moments


def assert_same_bits(parts: Parts, others: Parts) -> None:
    """Fail where two runs did not end alike, bit for bit."""
    mine, theirs = state(parts), state(others)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []


def trick_of(parts: Parts, kind: type) -> Any:
    """A run's trick of this kind."""
    return next(one for one in parts.trainer.callbacks if isinstance(one, kind))  # pyright: ignore[reportAttributeAccessIssue]
