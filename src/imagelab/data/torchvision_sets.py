"""Load the classic small data sets that torchvision downloads: CIFAR-10, CIFAR-100, MNIST, Fashion-MNIST."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from imagelab.contracts import Images
from imagelab.data.arrays import Arrays
from imagelab.problem import Problem


class TorchvisionSet:
    """A data set that comes with "train" and "test".

    Args:
        name: Name of the data set in torchvision.datasets.
        root: Folder of its files, in torchvision's layout.
        download: Whether to download missing or damaged files.
    """

    def __init__(
        self, *, name: Literal["CIFAR10", "CIFAR100", "MNIST", "FashionMNIST"], root: str, download: bool
    ) -> None:
        import torchvision.datasets

        kind = getattr(torchvision.datasets, name)
        folder = Path(root)
        try:
            train, test = _load(kind, folder)
        except (OSError, RuntimeError) as error:
            if not download:
                where = folder.absolute()
                raise Problem(
                    f"data: {name} is not in {where}; set data.download=true, or data.root=FOLDER"
                ) from error
            fetch(kind, folder)
            train, test = _load(kind, folder)
        # MNIST's classes are called "0 - zero"
        self.classes = [str(label).split(" - ")[0] for label in train.classes]
        self.splits: dict[str, Images] = {"train": _arrays(train), "test": _arrays(test)}


def fetch(kind: Any, root: Path) -> None:
    """Download a data set into a temporary folder, then move it: a broken download leaves nothing behind.

    Raises:
        Problem: There is no internet connection, or the server does not answer.
    """
    if root.exists() and not root.is_dir():
        raise Problem(f"data.root={root} is a file: expected a folder")
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
            with contextlib.redirect_stdout(None):
                kind(scratch, download=True)
            _move(Path(scratch), root)
    except (OSError, RuntimeError) as error:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only works if it is empty
        raise Problem(
            f"data: {kind.__name__} is not in {root.absolute()} and cannot be downloaded ({_reason(error)}); "
            "connect to the internet, or set data.root to a folder that has it"
        ) from error


def _load(kind: Any, root: Path) -> tuple[Any, Any]:
    return kind(root, train=True), kind(root, train=False)


def _move(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        if file.is_file() and not file.name.endswith((".gz", ".tgz", ".zip")):
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _arrays(dataset: Any) -> Arrays:
    images: Tensor = torch.as_tensor(dataset.data)
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
    return Arrays(images, np.asarray(dataset.targets, dtype=np.int64))
