"""Measure what transfer from a small network brings, against scratch, with few images and with many.

    .venv/bin/python benchmarks/transfer_small.py --data FOLDER [--seeds 3] [--workers 2]

FOLDER holds cifar10/ and hymenoptera/, each with train/<class>/*.jpg, and test/ or val/. A small net is
trained on some classes of CIFAR-10, then goes on to the others with 20, 100 and 1,000 images a class; and
one trained on all ten goes on to photos of ants and bees. All strategies have the same images, epochs,
optimizer and rate, and the values of their config files. Runs are kept in
benchmarks/results/transfer_small.csv, the table in transfer_small.md.
"""

import argparse
import csv
import statistics
import tempfile
from datetime import date
from pathlib import Path

from many_runs import Record, Words, error, machine, run, spread

from imagelab.config import menu

RESULTS = Path(__file__).parent / "results"
RECORD = Record(RESULTS / "transfer_small.csv")
SOURCE = ("airplane", "automobile", "cat", "deer", "dog", "ship")
TARGET = ("bird", "frog", "horse", "truck")
COUNTS = {20: "40", 100: "20", 1000: "8"}  # training images a class: epochs
PHOTOS = "hymenoptera"
HELD_OUT = {"val": 50, "test": 500}  # images a class
STRATEGIES = [name for name in menu.choices("finetune") if name != "scratch"]
BASE = {
    "trainer": "cpu",
    "data": "folder",
    "data.storage": "memory",
    "data.size": "16",
    "data.workers": "0",
    "data.batch_size": "32",
    "model": "resnet9",
    "model.width": "8",
    "augment": "[flip,crop]",
    "save_every": "100000",
    "logger": "[]",
}
PRETRAINING = {"trainer.max_epochs": "15", "data.batch_size": "128", "data.limit": "9000"}


def pretrain(data: Path, kept: Path) -> dict[str, Path]:
    """The runs to start from, trained where they are not there yet."""
    few, all_ten = kept / "six_classes", kept / "ten_classes"
    start = PRETRAINING | {"data.root": str(data / "cifar10")}
    for folder, more in ((few, {"data.classes": f"[{','.join(SOURCE)}]"}), (all_ten, {"data.size": "32"})):
        if not (folder / "results.json").is_file():
            run(BASE | start | more, seed=0, folder=folder)
    return {"cifar10": few, PHOTOS: all_ten}


def manifests(data: Path, folder: Path) -> dict[str, Path]:
    """Lists of the images of each task: train, val and test, for every number of images a class."""
    lists = {}
    for count in COUNTS:
        rows = []
        for name in TARGET:
            train = sorted((data / "cifar10" / "train" / name).iterdir())
            test = sorted((data / "cifar10" / "test" / name).iterdir())
            parts = {
                "train": train[:count],
                "val": train[-HELD_OUT["val"] :],
                "test": test[: HELD_OUT["test"]],
            }
            rows += [(path, name, split) for split, paths in parts.items() for path in paths]
        lists[str(count)] = _write(folder / f"{count}.csv", data / "cifar10", rows)
    rows = []
    for name in ("ants", "bees"):
        train = sorted((data / PHOTOS / "train" / name).iterdir())
        rows += [(path, name, "val" if i % 5 == 0 else "train") for i, path in enumerate(train)]
        rows += [(path, name, "test") for path in sorted((data / PHOTOS / "val" / name).iterdir())]
    lists[PHOTOS] = _write(folder / f"{PHOTOS}.csv", data / PHOTOS, rows)
    return lists


def wanted(
    data: Path, starts: dict[str, Path], lists: dict[str, Path], seeds: int
) -> dict[tuple[str, int], Words]:
    """Every run, by its name and seed."""
    found = {}
    for seed in range(seeds):
        for task, manifest in lists.items():
            photos = task == PHOTOS
            words = {
                "trainer.max_epochs": "30" if photos else COUNTS[int(task)],
                "data.size": "32" if photos else "16",
                "data.root": str(data / (PHOTOS if photos else "cifar10")),
                "data.manifest": str(manifest),
                "data.on_bad_image": "skip",
            }
            found[f"{task} scratch", seed] = BASE | words
            start = starts[PHOTOS if photos else "cifar10"]
            for name in STRATEGIES:
                found[f"{task} {name}", seed] = BASE | words | {"model.weights": str(start), "finetune": name}
    return found


def main() -> None:
    """Do the runs that are missing, then write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with cifar10/ and hymenoptera/")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "imagelab-transfer")
    args = parser.parse_args()
    args.kept.mkdir(parents=True, exist_ok=True)
    lists = manifests(args.data.resolve(), args.kept)
    starts = pretrain(args.data.resolve(), args.kept)
    RECORD.fill(wanted(args.data.resolve(), starts, lists, args.seeds), args.workers)
    (RESULTS / "transfer_small.md").write_text(table(args.seeds), encoding="utf-8")


def table(seeds: int) -> str:
    """Mean and standard error of each strategy on each task, and its gain over scratch, paired by seed."""
    kept, tasks = RECORD.read(), [*map(str, COUNTS), PHOTOS]
    lines = [HEAD.format(date=date.today(), machine=machine(), seeds=seeds)]
    lines += [f"| strategy | {' | '.join(f'{task} a class' for task in tasks[:-1])} | {PHOTOS} |"]
    lines += ["|---" * (len(tasks) + 1) + "|"]
    for name in ["scratch", *STRATEGIES]:
        cells = [f"`{name}`"]
        for task in tasks:
            both = [
                (kept[f"{task} {name}", seed], kept[f"{task} scratch", seed])
                for seed in range(seeds)
                if (f"{task} {name}", seed) in kept and (f"{task} scratch", seed) in kept
            ]
            gains = [100 * (ours - theirs) for ours, theirs in both]
            gain = f" ({statistics.fmean(gains):+.1f} ± {error(gains):.1f})" if name != "scratch" else ""
            cells.append(spread([ours for ours, _ in both]) + gain if len(both) > 1 else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


HEAD = """# What transfer brings

ResNet-9 of width 8. Left: trained on six classes of CIFAR-10 (9,000 images of 16 x 16 pixels, 15 epochs),
then on the four others with so many images a class, tested on 2,000. Right: trained on all ten classes at
32 x 32, then on the photos of ants and bees at that size, tested on 153. Mean and standard error of the
test accuracy in percent over {seeds} seeds; in brackets the gain over scratch, paired by seed. AdamW with
one cycle, flip and crop, the same number of epochs for every strategy of a column; every value is the one
of its config file.

    .venv/bin/python benchmarks/transfer_small.py --data FOLDER

{date}, {machine}.
"""


def _write(file: Path, root: Path, rows: list[tuple[Path, str, str]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("file", "label", "split"))
        writer.writerows((path.relative_to(root), label, split) for path, label, split in rows)
    return file


if __name__ == "__main__":
    main()
