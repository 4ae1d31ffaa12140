"""What averaging brings: views of an image, weights of a run, cycles of a run, several runs.

    .venv/bin/python benchmarks/averaging.py --data FOLDER [--kept FOLDER]

FOLDER holds CIFAR-10 as train/<class>/ and test/<class>/. Nets are trained as `imagelab train` does, then
evaluated as `imagelab evaluate` does. The runs stay in --kept, what was measured in
benchmarks/results/averaging.jsonl, one line each: what is there is not done again. The table is averaging.md,
with the reading of it below.
"""

import argparse
import csv
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import torch
from averaging_lines import BASE, EMA, KINDS, LINES, PLAIN, Line
from many_runs import Words, error, machine, one_line, run, spread

from imagelab import evaluate
from imagelab.config.compose import compose
from imagelab.terminal import screen

RESULTS = Path(__file__).parent / "results"
KEPT = RESULTS / "averaging.jsonl"
TRAIN, VAL = 500, 100  # images a class; all test images
Node = dict[str, Any]


def main() -> None:
    """Do what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of CIFAR-10")
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "imagelab-averaging")
    args = parser.parse_args()
    torch.set_num_threads(1)
    screen.hush()
    args.kept.mkdir(parents=True, exist_ok=True)
    data = args.data.resolve()
    base = BASE | {"data.root": str(data), "data.manifest": str(manifest(data, args.kept / "images.csv"))}
    train(base, PLAIN, 0, args.kept)
    for line in LINES:
        for seed in sorted({seed for seeds in line.seeds for seed in seeds}):
            train(base | KINDS[line.kind], line.kind, seed, args.kept)
        for seeds in line.seeds:
            measure(line, seeds, args.kept)
        write()


def manifest(data: Path, file: Path) -> Path:
    """The list of the images: the first of each class for training, the last for validation, all of test."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("file", "label", "split"))
        for folder in sorted((data / "train").iterdir()):
            images, test = (sorted((data / part / folder.name).iterdir()) for part in ("train", "test"))
            parts = {"train": images[:TRAIN], "val": images[-VAL:], "test": test}
            writer.writerows((path, folder.name, part) for part, paths in parts.items() for path in paths)
    return file


def train(words: Words, kind: str, seed: int, folder: Path) -> None:
    """A run, in a folder of its own, where it is not there yet."""
    place = folder_of(folder, kind, seed)
    if not (place / "results.json").is_file():
        shutil.rmtree(place, ignore_errors=True)  # of a run that was stopped
        began = time.process_time()
        accuracy, _ = run(words, seed, place)
        keep({"trained": kind, "seeds": [seed], "accuracy": accuracy, "seconds": time.process_time() - began})


def measure(line: Line, seeds: tuple[int, ...], folder: Path) -> None:
    """An evaluation, where it is not there yet."""
    if any(one.get("name") == line.name and one["seeds"] == list(seeds) for one in kept()):
        return
    runs = ",".join(str(folder_of(folder, line.kind, seed)) for seed in seeds)
    with tempfile.TemporaryDirectory() as temporary:
        composed = compose(
            "evaluate", [f"run=[{runs}]", f"output={temporary}", *one_line(line.words).split()]
        )
        assert composed.cfg is not None, composed.problems
        began = time.process_time()
        evaluate.start(composed.cfg, folder)
        seconds = time.process_time() - began
        found = json.loads((Path(temporary) / evaluate.RESULT).read_text())
    numbers = {name: found["calibration"][name] for name in ("nll", "ece")}
    share = found.get("disagreement", {}).get("share")
    own = {"name": line.name, "seeds": list(seeds), "accuracy": found["metrics"]["accuracy"]}
    keep(own | numbers | {"disagreement": share, "seconds": seconds})


def folder_of(folder: Path, kind: str, seed: int) -> Path:
    """Where a run lies."""
    return folder / f"{kind.replace(', ', '_').replace(' ', '_')}_{seed}"


def kept() -> list[Node]:
    """What has been done."""
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.is_file() else []


def keep(found: Node) -> None:
    """Add what was measured."""
    rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in found.items()}
    with KEPT.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(rounded) + "\n")
    print(rounded, flush=True)


def write() -> None:
    """The table; what somebody has written below it stays."""
    file = RESULTS / "averaging.md"
    _, mark, reading = file.read_text().partition(READING) if file.is_file() else ("", "", "")
    file.write_text(table() + mark + reading, encoding="utf-8")


def table() -> str:
    """Every line: means over its evaluations, and what it gains, paired by seed."""
    lines = [HEAD.format(date=date.today(), machine=machine(), kinds="\n".join(trainings())), *TITLES]
    for line in LINES:
        if rows := [one for one in kept() if one.get("name") == line.name]:
            accuracies = [row["accuracy"] for row in rows]
            gains = list(differences(line, rows))
            cells = [
                line.name,
                f"{cost(line):.0f}",
                spread(accuracies) if len(rows) > 1 else f"{100 * accuracies[0]:.1f}",
                signed(gains) if line.name != line.against else "",
                *(f"{statistics.fmean(row[name] for row in rows):.3f}" for name in ("nll", "ece")),
                f"{statistics.fmean(row['seconds'] for row in rows):.1f}",
                str(len(rows)),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def differences(line: Line, rows: list[Node]) -> Iterator[float]:
    """Points of accuracy over what a line is compared with: the mean of the runs with the same seeds."""
    others = {one["seeds"][0]: one["accuracy"] for one in kept() if one.get("name") == line.against}
    for row in rows:
        yield 100 * (row["accuracy"] - statistics.fmean(others[seed] for seed in row["seeds"]))


def signed(gains: list[float]) -> str:
    """Their mean, and its standard error where there are several."""
    spread_of_them = f" ± {error(gains):.1f}" if len(gains) > 1 else ""
    return f"{statistics.fmean(gains):+.1f}{spread_of_them}"


def cost(line: Line) -> float:
    """Seconds of training that an evaluation rests on."""
    without = line.kind == EMA and line.words["weights"] == "raw"
    return len(line.seeds[0]) * seconds_of(PLAIN if without else line.kind)


def seconds_of(kind: str) -> float:
    """Seconds of training of a run of a kind, on the mean."""
    return statistics.fmean(one["seconds"] for one in kept() if one.get("trained") == kind)


def trainings() -> Iterator[str]:
    """What each kind of run is told, and how long it takes."""
    done = {one.get("trained") for one in kept()}
    for kind in (kind for kind in KINDS if kind in done):
        told = f"`{one_line(KINDS[kind])}`" if KINDS[kind] else "nothing more"
        yield f"- {kind}: {told}; {seconds_of(kind):.0f} s"


HEAD = """# What averaging brings

ResNet-9 of width 8 on CIFAR-10, 32 x 32 pixels: 5,000 training images, 8 epochs, AdamW, flip and crop; all
10,000 test images. The weights are those of the last step, chosen by nothing. Accuracy in percent, mean and
standard error over evaluations of different seeds; the gain is paired by seed, for an ensemble over the mean
of its members. All lines see the same test images, which say any one accuracy to half a point only. Seconds
are CPU seconds on one thread: of training what the line rests on, of evaluation those of the whole command,
with decoding the images. NLL is the mean cross entropy, ECE the expected calibration error.

    .venv/bin/python benchmarks/averaging.py --data FOLDER

{date}, {machine}, one thread. Runs and their seconds each, tests at their end included:

{kinds}

The single runs of the table are those of "one cycle, EMA" with their raw weights, to the bit those of
training without EMA (compared for seed 0); the seconds are those without. Gains are over "single", of what is
averaged at a constant rate over the raw weights at that rate.
"""
READING = "\n## What it says\n"
TITLES = (
    "| what | training | accuracy | gain | NLL | ECE | evaluation | evaluations |",
    "|---|---|---|---|---|---|---|---|",
)


if __name__ == "__main__":
    main()
