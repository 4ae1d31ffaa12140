"""Train in this process: the parts that the command builds, fitted."""

from pathlib import Path
from typing import Any

from imagelab.build import Parts, build
from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.task.classify import Classify
from imagelab.training.stop import StopRequest

# As small as it goes: two steps an epoch.
SHORT = [
    "trainer=cpu",
    "trainer.max_epochs=1",
    "data.limit=200",
    "data.batch_size=64",
    "trainer.log_every_n_steps=1",
]
# What Folder takes besides its root.
FOLDER: Any = {"manifest": None, "columns": None, "delimiter": "auto", "label": "label", "takes": "class"}
FOLDER |= {"group": None, "on_bad_image": "error", "signals": ["image"], "max_pixels": 50_000_000}
# What ImageData takes besides a source and augmentations.
IMAGE_DATA: dict[str, Any] = {
    "seed": 0,
    "preprocess": None,
    "batch_size": 10,
    "workers": 0,
    "size": None,
    "limit": None,
    "train_limit": None,
    "classes": None,
    "balance": False,
    "val_fraction": 0.1,
    "test_fraction": 0.2,
    "folds": None,
    "fold": None,
    "decisions": None,
    "storage": "auto",
    "task": Classify,
}


def built(words: list[str], folder: Path, known: dict | None = None, checked: bool = True) -> Parts:
    """The parts of the run that these words ask for."""
    composed = compose("train", words)
    assert composed.cfg is not None, composed.problems
    cfg = plain(composed.cfg)
    assert not checked or composed.problems + validate.problems(cfg) == []
    return build(cfg, folder, StopRequest(), known)


def fitted(words: list[str], folder: Path) -> Parts:
    """The same, trained."""
    parts = built(words, folder)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return parts


def fitted_with_copies(words: list[str], folder: Path) -> tuple[Parts, dict[int, bytes]]:
    """The same, and the content of each checkpoint that was saved on the way, by step."""
    parts, copies = built(words, folder), {}
    save = parts.saver.save

    def keep(trainer: Any, best: bool = False) -> None:
        save(trainer, best)
        copies[trainer.global_step] = (parts.saver.folder / "last.ckpt").read_bytes()

    parts.saver.save = keep
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return parts, copies
