# room: detection, experiment/bccd, experiment/bccd_scratch
"""Measure what ImageNet weights bring to a detector of few photos, and how far scratch catches up.

    .venv/bin/python benchmarks/detection.py --data FOLDER [--seeds 3] [--only pretrained]

FOLDER holds the photos of blood cells, BCCD (https://github.com/Shenggan/BCCD_Dataset). The runs are those
of `experiment=bccd` and `experiment=bccd_scratch`. Each finished run is a line of
benchmarks/results/detection.jsonl and is not repeated, so a stopped benchmark resumes and seeds can be added.
The table is detection.md.
"""

import argparse
import json
import shlex
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch
from many_runs import Words, error, finish, one_line
from ratios import device

from imagelab.config import menu
from imagelab.terminal import screen

RESULTS = Path(__file__).parent / "results"
KEPT, TABLE = RESULTS / "detection.jsonl", RESULTS / "detection.md"
MEASURES = ("ap50", "ap", "ap75", "ap_small", "ap_medium", "ap_large")
Node = dict[str, Any]
EPOCHS = int(menu.load(menu.folder() / "experiment" / "bccd.yaml")["trainer"]["max_epochs"])
PRETRAINED, EQUAL = "ImageNet weights", "random weights, the rest equal"
AS_IT_IS = {"experiment": "bccd"}
SCRATCH = {"experiment": "bccd_scratch"}


def times(factor: int) -> Words:
    """The number of epochs, as a multiple of that of `experiment=bccd`."""
    return {"trainer.max_epochs": str(factor * EPOCHS)}


RUNS: dict[str, Words] = {
    PRETRAINED: AS_IT_IS,
    EQUAL: {**AS_IT_IS, "model.pretrained": "false"},
    "random weights, GroupNorm": {**SCRATCH, "augment": "[flip]", **times(1)},
    "random weights, GroupNorm, augmentation": {**SCRATCH, **times(1)},
    "…, 2 times the steps": {**SCRATCH, **times(2)},
    "…, 4 times the steps": {**SCRATCH, **times(4)},
    "…, 8 times the steps": {**SCRATCH, **times(8)},
}


def main() -> None:
    """Do the runs that are missing, and write the table after each one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with Annotations/, ImageSets/, ...")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of the name of a row")
    args = parser.parse_args()
    torch.set_num_threads(1)
    screen.hush()
    for seed in range(args.seeds):
        for name, words in RUNS.items():
            if args.only in name and (one_line(words), seed) not in kept():
                measure(name, words, seed, args.data.resolve())
                write(args.seeds)
    write(args.seeds)


def measure(name: str, words: Words, seed: int, data: Path) -> None:
    """Do a run and add its line to the file."""
    place = {
        "data.root": str(data),
        "trainer": "cpu",
        "data.workers": "0",
        "save_every": "100000",
        "logger": "[]",
    }
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        found = finish(words | place, seed, Path(folder))
    seconds = time.process_time() - began
    numbers = {"steps": found["steps"], **{key: found["test"].get(key) for key in MEASURES}} if found else {}
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in numbers.items()}
    origin = {
        "date": str(date.today()),
        "device": device(),
        "command": shlex.join(["python", "benchmarks/detection.py", *sys.argv[1:]]).replace(
            str(data), "FOLDER"
        ),
    }
    line = {"name": name, "words": one_line(words), "seed": seed, "cpu_seconds": round(seconds, 1)}
    with KEPT.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({**line, **rounded, **origin}, ensure_ascii=False) + "\n")
    print(f"{name}, seed {seed}: {rounded or 'NaN'}, {seconds:.0f} CPU s", flush=True)


def kept() -> dict[tuple[str, int], Node]:
    """The runs that are done, by words and seed."""
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.is_file() else []
    return {(line["words"], line["seed"]): line for line in map(json.loads, lines)}


def write(seeds: int) -> None:
    """Write the table of what is done; what somebody wrote below it stays."""
    done = kept()
    found = {
        name: [done[key] for seed in range(seeds) if (key := (one_line(words), seed)) in done]
        for name, words in RUNS.items()
    }
    used = [row for rows in found.values() for row in rows]
    wanted = seeds * len(RUNS)
    text = HEAD.format(
        state="All" if len(used) == wanted else "Not finished:",
        runs=f"{len(used)} of {wanted} runs, {', '.join(sorted({row['date'] for row in used}))}",
        device="; ".join(sorted({row["device"] for row in used})),
        minutes=sum(row["cpu_seconds"] for row in used) / 60,
        rows="\n".join(table_row(name, rows) for name, rows in found.items()),
    )
    _, mark, reading = (
        TABLE.read_text(encoding="utf-8").partition(READING) if TABLE.is_file() else ("", "", "")
    )
    TABLE.write_text(text + mark + reading, encoding="utf-8")


def table_row(name: str, rows: list[Node]) -> str:
    """A line of the table: means with standard errors; a dash where nothing was measured."""
    trained = [row for row in rows if "steps" in row]
    steps = " / ".join(sorted({str(row["steps"]) for row in trained})) or "-"
    cells = [mean(trained, key, 100, 1) for key in MEASURES] + [mean(rows, "cpu_seconds", 1, 0)]
    return f"| {name} | {steps} | {' | '.join(cells)} | {len(trained)} of {len(rows)} |"


def mean(rows: list[Node], key: str, factor: int, digits: int) -> str:
    """Mean of a measure with its standard error, if there are several runs; a dash if it has no values."""
    values = [factor * row[key] for row in rows if row.get(key) is not None]
    if not values:
        return "-"
    spread = f" ± {error(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.{digits}f}{spread}"


HEAD = """# ImageNet weights or training from scratch, for a detector of 205 photos

    .venv/bin/python benchmarks/detection.py --data FOLDER

{state} {runs}.
{device}, one thread, {minutes:.0f} CPU minutes. BCCD: 205 photos of blood cells to train with, 87 to choose
the best epoch by, 72 to test on. Average precision on the test photos in percent; means of the seeds with
their standard errors. CPU seconds are those of a whole run, without imports.

| weights | steps | AP50 | AP | AP75 | AP small | AP medium | AP large | CPU s | trained |
|---|---|---|---|---|---|---|---|---|---|
{rows}
"""
READING = "\n## What it says\n"


if __name__ == "__main__":
    main()
