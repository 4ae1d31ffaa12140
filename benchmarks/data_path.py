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
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torchvision
from data_path_usual import Epoch, PilImages, to_float, usual
from lightning.fabric.utilities import move_data_to_device
from ratios import Figure, device, flag, settle
from torch.utils.data import ConcatDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from imagelab.augment.color_jitter import ColorJitter
from imagelab.augment.crop import Crop
from imagelab.augment.flip import Flip
from imagelab.config import schema
from imagelab.config.compose import compose
from imagelab.contracts import Images
from imagelab.data.extra import extra_of
from imagelab.data.files import Files
from imagelab.data.image_data import ImageData
from imagelab.data.memory import decode_once, fits_in_memory
from imagelab.data.storage import Storage
from imagelab.data.visible import visible_of
from imagelab.task.classify import Classify

WORKERS = 2
COPIES = 4  # of the few photos, so that workers run for a while
PROMISED = {"CIFAR-10": 15.0, "photos": 2.0}


class Pictures:
    """A source of training images; a few of them stand for the val split, which is not looked at."""

    def __init__(self, files: Files, classes: list[str]) -> None:
        self.classes = classes
        self.splits: Mapping[str, Images] = {"train": files, "val": files.select(np.arange(8))}


def ours(
    files: Files,
    classes: list[str],
    augment: list[object],
    batch_size: int,
    device: torch.device,
    storage: Storage = "auto",
) -> Epoch:
    """The training loader with the device's part of the work, as a run uses it."""
    composed = compose("train", [f"data.batch_size={batch_size}", f"data.storage={storage}"]).cfg
    assert composed is not None
    shared = schema.split("data", composed["data"])[1]
    shared["extra"] = extra_of(shared, classes, shared.pop("max_pixels"))
    shared["visible"] = visible_of(shared)
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
        moved = (move_data_to_device(batch, device) for batch in loader)
        return (len(data.prepare_batch(batch, train=True, rank=0).images) for batch in moved)

    return epoch


def cifar10(root: Path, device: torch.device) -> dict[str, tuple[Epoch, int]]:
    """The sides by name, and how many batches of each are timed."""
    folder = ImageFolder(str(root / "cifar10" / "train"))
    files = Files([path for path, _ in folder.samples], np.array(folder.targets))
    images = decode_once(files, size=None).images.permute(0, 2, 3, 1).contiguous().numpy()
    transform = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(), *to_float()])
    crop = Crop(pad=4, border="zero", size=None, scale=(0.08, 1.0), ratio=(0.75, 1.3333), overlaps=[])
    dataset = PilImages(images, files.labels, transform)
    return {
        "ours": (ours(files, folder.classes, [crop, Flip(p=0.5)], 128, device), 10**6),
        "usual, 0 workers": (usual(dataset, 128, 0, device), 60),
        f"usual, {WORKERS} workers": (usual(dataset, 128, WORKERS, device), 60),
    }


def photos(root: Path, device: torch.device, hue: float) -> dict[str, tuple[Epoch, int]]:
    """The sides by name, and how many batches of each are timed."""
    jitter = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": hue}
    transform = v2.Compose(
        [v2.RandomResizedCrop(224), v2.RandomHorizontalFlip(), v2.ColorJitter(**jitter), *to_float()]
    )
    folder = ImageFolder(str(root / "hymenoptera" / "train"), transform)
    files = Files([path for path, _ in folder.samples], np.array(folder.targets))
    copies = files.select(np.tile(np.arange(len(files)), COPIES))
    crop = Crop(pad=4, border="zero", size=None, scale=(0.08, 1.0), ratio=(0.75, 1.3333), overlaps=[])
    augment = [crop, Flip(p=0.5), ColorJitter(**jitter)]
    return {
        "ours": (ours(copies, folder.classes, augment, 32, device), 10**6),
        "ours, shrunk once": (ours(copies, folder.classes, augment, 32, device, "shrunk"), 10**6),
        f"usual, {WORKERS} workers": (usual(ConcatDataset([folder] * COPIES), 32, WORKERS, device), 10**6),
    }


def measure(sides: dict[str, tuple[Epoch, int]], rounds: int) -> dict[str, list[float]]:
    """Images a second of each side by round, after one that is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, (epoch, batches) in sides.items():
            start = time.perf_counter()
            count = sum(islice(epoch(), batches))
            if torch.cuda.is_available():
                torch.cuda.synchronize()
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
        span = f"{min(values):,.0f} to {max(values):,.0f}"
        lines.append(f"| {name} | {medians[name]:,.0f} | {span} | {medians[name] / usual_rate:.2f} |")
    return "\n".join([*lines, ""]), medians["ours"] / usual_rate


def ratios_of(title: str, rates: dict[str, list[float]]) -> list[Figure]:
    """How many times as fast as the best usual side each of ours is, round by round."""
    usual_rates = [
        max(side) for side in zip(*(rates[name] for name in rates if "usual" in name), strict=True)
    ]
    found = []
    for name in (name for name in rates if name.startswith("ours")):
        ratios = [rate / base for rate, base in zip(rates[name], usual_rates, strict=True)]
        found.append(Figure(title + name.removeprefix("ours"), ratios, "higher"))
    return found


def heading() -> str:
    """When, on what and how this was measured."""
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    threads = f"{torch.get_num_threads()} thread(s) for the main process"
    when = f"{date.today()}, {device()}, {threads}, {versions}"
    return f"# Data path: training images a second\n\n{when}\n\n    python {' '.join(sys.argv)}\n"


def main() -> None:
    """Print a table for each data set; exit status 1 where a ratio is lower than promised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder with cifar10/ and hymenoptera/")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["CIFAR-10", "photos", "photos without hue"])
    parser.add_argument("--threads", type=int, default=1, help="of the main process, for tensors")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where batches end")
    parser.add_argument("--report", type=Path, help="a Markdown file to write")
    flag(parser)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    parts, missed = [heading()], False
    figures: list[Figure] = []
    print(parts[0])
    cases = {
        "CIFAR-10": cifar10,
        "photos": partial(photos, hue=0.1),
        "photos without hue": partial(photos, hue=0),
    }
    for name, sides in cases.items():
        if args.only not in (None, name):
            continue
        rates = measure(sides(args.data, torch.device(args.device)), args.rounds)
        text, ratio = table(name, rates)
        figures += ratios_of(name if args.device == "cpu" else f"{name}, {args.device}", rates)
        missed |= ratio < PROMISED.get(name, 0)
        promise = f"; at least {PROMISED[name]:g} is promised" if name in PROMISED else ""
        parts.append(f"{text}\nOurs is {ratio:.1f} times as fast{promise}.\n")
        print(parts[-1], flush=True)
    if args.report:
        args.report.write_text("\n".join(parts))
    sys.exit(settle("data_path", figures, record=args.record) or missed)


if __name__ == "__main__":
    main()
