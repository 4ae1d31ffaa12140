# room: augment/color_jitter, augment/crop, augment/flip
"""How many training images a second the data path delivers, against what is usual with PyTorch.

    .venv/bin/python benchmarks/data_path.py --data FOLDER [--report benchmarks/results/data_path.md]

FOLDER holds cifar10/ and hymenoptera/, each with train/<class>/*.jpg. Both sides run in one process and take
turns; the figures are medians of the rounds. Either side ends with normalised float batches.

- CIFAR-10, batch 128, flip and pad-crop. Usual: decoded images in memory as torchvision's CIFAR10 class keeps
  them, a PIL image and a chain of torchvision v2 transforms for each, a DataLoader with 0 or 2 workers: the
  faster of the two.
- Photos, batch 32, random-resized-crop to 224, flip and colour jitter, 2 workers on either side. Usual:
  torchvision's ImageFolder and v2 transforms on PIL images. Hue is the dearest part of the jitter: there is a
  second table without it.

The main process has one thread on either side unless `--threads` says more: with more, whatever else runs on
the machine makes threads wait for each other, and the figures say little.
"""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from imagelab.augment.color_jitter import ColorJitter
from imagelab.augment.crop import Crop
from imagelab.augment.flip import Flip
from imagelab.config import schema
from imagelab.config.compose import compose
from imagelab.contracts import Images
from imagelab.data.files import Files
from imagelab.data.image_data import ImageData
from imagelab.data.memory import decode_once, fits_in_memory
from imagelab.data.parallel import cores
from imagelab.data.storage import Storage
from imagelab.task.classify import Classify

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
WORKERS = 2
COPIES = 4  # of the few photos, so that workers run for a while
PROMISED = {"CIFAR-10": 15.0, "photos": 2.0}

Epoch = Callable[[], Iterable[int]]
"""Makes one epoch of batches and tells the size of each."""


class Pictures:
    """A source of training images; a few of them stand for the val split, which is not looked at."""

    def __init__(self, files: Files, classes: list[str]) -> None:
        self.classes = classes
        self.splits: Mapping[str, Images] = {"train": files, "val": files.select(np.arange(8))}


class PilImages(Dataset[Any]):
    """What torchvision's CIFAR10 class does: an array of decoded images, a PIL image of each asked for."""

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, transform: Callable[[Image.Image], Any]
    ) -> None:
        self.images, self.labels, self.transform = images, labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.images[place])), self.labels[place]


def usual(dataset: Dataset[Any], batch_size: int, workers: int) -> Epoch:
    """A DataLoader as tutorials write it, its workers kept from epoch to epoch."""
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    return lambda: (len(images) for images, _ in loader)


def ours(
    files: Files, classes: list[str], augment: list[object], batch_size: int, storage: Storage = "auto"
) -> Epoch:
    """The training loader with the device's part of the work, as a run uses it."""
    composed = compose("train", [f"data.batch_size={batch_size}", f"data.storage={storage}"]).cfg
    assert composed is not None
    shared = schema.split("data", composed["data"])[1]
    del shared["max_pixels"]  # it is for the source
    shared["workers"] = "auto" if fits_in_memory(files) else WORKERS
    data = ImageData(
        source=Pictures(files, classes),
        augment=augment,
        seed=0,
        preprocess=None,
        task=Classify,
        **shared,
    )
    loader = data.train_loader(epoch=0, start=0, rank=0, ranks=1)
    epochs = iter(range(1_000_000))

    def epoch() -> Iterator[int]:
        loader.sampler.set_epoch(next(epochs))  # pyright: ignore[reportAttributeAccessIssue]
        return (len(data.prepare_batch(batch, train=True, rank=0).images) for batch in loader)

    return epoch


def cifar10(root: Path) -> dict[str, tuple[Epoch, int]]:
    """The sides by name, and how many batches of each are timed."""
    folder = ImageFolder(str(root / "cifar10" / "train"))
    files = Files([path for path, _ in folder.samples], np.array(folder.targets))
    images = decode_once(files, size=None).images.permute(0, 2, 3, 1).contiguous().numpy()
    transform = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(), *to_float()])
    crop = Crop(pad=4, border="zero", size=None, scale=(0.08, 1.0), ratio=(0.75, 1.3333))
    dataset = PilImages(images, files.labels, transform)
    return {
        "ours": (ours(files, folder.classes, [crop, Flip(p=0.5)], 128), 10**6),
        "usual, 0 workers": (usual(dataset, 128, 0), 60),
        f"usual, {WORKERS} workers": (usual(dataset, 128, WORKERS), 60),
    }


def photos(root: Path, hue: float) -> dict[str, tuple[Epoch, int]]:
    """The sides by name, and how many batches of each are timed."""
    jitter = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": hue}
    transform = v2.Compose(
        [v2.RandomResizedCrop(224), v2.RandomHorizontalFlip(), v2.ColorJitter(**jitter), *to_float()]
    )
    folder = ImageFolder(str(root / "hymenoptera" / "train"), transform)
    files = Files([path for path, _ in folder.samples], np.array(folder.targets))
    copies = files.select(np.tile(np.arange(len(files)), COPIES))
    crop = Crop(pad=4, border="zero", size=None, scale=(0.08, 1.0), ratio=(0.75, 1.3333))
    augment = [crop, Flip(p=0.5), ColorJitter(**jitter)]
    return {
        "ours": (ours(copies, folder.classes, augment, 32), 10**6),
        "ours, shrunk once": (ours(copies, folder.classes, augment, 32, "shrunk"), 10**6),
        f"usual, {WORKERS} workers": (usual(ConcatDataset([folder] * COPIES), 32, WORKERS), 10**6),
    }


def to_float() -> list[Any]:
    """The end of every chain of transforms."""
    return [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]


def measure(sides: dict[str, tuple[Epoch, int]], rounds: int) -> dict[str, list[float]]:
    """Images a second of each side in each round, after one that is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, (epoch, batches) in sides.items():
            start = time.perf_counter()
            count = sum(islice(epoch(), batches))
            if number:
                rates[name].append(count / (time.perf_counter() - start))
    return rates


def table(title: str, rates: dict[str, list[float]]) -> tuple[str, float]:
    """Lines of Markdown, and how many times as fast as the best usual side ours is."""
    medians = {name: statistics.median(values) for name, values in rates.items()}
    usual_rate = max(rate for name, rate in medians.items() if name.startswith("usual"))
    lines = [
        f"## {title}",
        "",
        "| side | images/s, median | lowest to highest | ratio |",
        "|---|---|---|---|",
    ]
    for name, values in rates.items():
        lines.append(
            f"| {name} | {medians[name]:,.0f} | {min(values):,.0f} to {max(values):,.0f} "
            f"| {medians[name] / usual_rate:.2f} |"
        )
    return "\n".join([*lines, ""]), medians["ours"] / usual_rate


def heading() -> str:
    """When, on what and how this was measured."""
    cpu = next((line for line in _cpu_lines() if line.startswith("model name")), platform.processor())
    return "\n".join(
        [
            "# Data path: training images a second",
            "",
            f"{date.today()}, {cpu.split(':')[-1].strip()}, {cores()} cores "
            f"({torch.get_num_threads()} for the main process), "
            f"torch {torch.__version__}, torchvision {torchvision.__version__}",
            "",
            f"    python {' '.join(sys.argv)}",
            "",
        ]
    )


def _cpu_lines() -> list[str]:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text().splitlines() if cpuinfo.exists() else []


def main() -> None:
    """Print a table for each data set; exit status 1 where a ratio is lower than promised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder with cifar10/ and hymenoptera/")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["CIFAR-10", "photos", "photos without hue"])
    parser.add_argument("--threads", type=int, default=1, help="of the main process, for tensors")
    parser.add_argument("--report", type=Path, help="a Markdown file to write")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    parts, missed = [heading()], False
    print(parts[0])
    cases = {
        "CIFAR-10": cifar10,
        "photos": partial(photos, hue=0.1),
        "photos without hue": partial(photos, hue=0),
    }
    for name, sides in cases.items():
        if args.only not in (None, name):
            continue
        text, ratio = table(name, measure(sides(args.data), args.rounds))
        missed |= ratio < PROMISED.get(name, 0)
        promise = f"; at least {PROMISED[name]:g} is promised" if name in PROMISED else ""
        parts.append(f"{text}\nOurs is {ratio:.1f} times as fast{promise}.\n")
        print(parts[-1], flush=True)
    if args.report:
        args.report.write_text("\n".join(parts))
    sys.exit(missed)


if __name__ == "__main__":
    main()
