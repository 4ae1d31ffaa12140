# room: generators
"""Measure what each trick brings to a GAN, and what generated images bring to a classifier of few digits.

    .venv/bin/python benchmarks/gan.py [--seeds 5] [--part tricks|classifiers] [--only plain,hinge]

All runs use the digits of scikit-learn, so nothing is downloaded. Each finished run is a line of
benchmarks/results/gan.jsonl and is not repeated, so a stopped benchmark resumes and seeds can be added. Both
tables are in gan.md. Nothing is tuned for them: every value is that of its config file or how-to.
"""

import argparse
import json
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import NamedTuple

import gan_lines
import numpy as np
import torch
from gan_lines import CLASSIFIERS, TRICKS
from gan_page import HEAD, READING, Node, few_row, trick_row
from many_runs import Words, finish, one_line
from PIL import Image
from ratios import device
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from imagelab import generate
from imagelab.config.compose import compose
from imagelab.terminal import screen

RESULTS = Path(__file__).parent / "results"
KEPT, TABLE = RESULTS / "gan.jsonl", RESULTS / "gan.md"
MEASURES = ("frechet", "recall", "coverage", "diversity")


class Piece(NamedTuple):
    """A run to measure: its row in the tables, its words and its seed."""

    name: str
    words: Words
    seed: int


def main() -> None:
    """Do the runs that are missing, and write the tables after each seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", choices=("tricks", "classifiers"), help="default: both")
    parser.add_argument("--only", default="", help="names of rows, with commas")
    args = parser.parse_args()
    torch.set_num_threads(1)
    screen.hush()
    only = args.only.split(",") if args.only else [*TRICKS, *CLASSIFIERS]
    for seed in range(args.seeds):
        if args.part != "classifiers":
            measure_gans([piece for piece in gans(seed) if piece.name in only])
        if args.part != "tricks":
            for count in gan_lines.COUNTS:
                measure_classifiers(
                    [piece for piece in classifiers(count, seed) if piece.name in only], count
                )
        write(args.seeds)


def gans(seed: int) -> list[Piece]:
    """The GANs of a seed, one per trick."""
    return [Piece(name, gan_lines.GAN | words, seed) for name, words in TRICKS.items()]


def classifiers(count: int, seed: int) -> list[Piece]:
    """The classifiers of a seed that see so many real digits per class."""
    return [Piece(name, gan_lines.classifier(name, count), seed) for name in CLASSIFIERS]


def measure_gans(pieces: list[Piece]) -> None:
    """Train each GAN that is missing and measure its images."""
    for piece in missing(pieces):
        with tempfile.TemporaryDirectory() as folder:
            measure(piece, piece.words, Path(folder), lambda found, place: measures(found["test"], place))


def measures(tested: Node, run: Path) -> Node:
    """Measures of the test split, and how often a judge finds the class that was asked for."""
    made = make(run, gan_lines.MADE, run / "made")
    asked = judged(made) if (made / "0").is_dir() else []  # a generator without labels is not asked for any
    shares = {"asked": statistics.fmean(asked), "classes": sum(rate > 0.7 for rate in asked)} if asked else {}
    return {name: tested[name] for name in MEASURES} | shares


def judged(made: Path) -> list[float]:
    """Share of the images of each digit that a support vector machine of all real digits takes for it."""
    judge = SVC(gamma=0.001, C=10).fit(*load_digits(return_X_y=True))
    rates = []
    for label in range(gan_lines.CLASSES):
        pixels = [np.asarray(Image.open(file)).ravel() for file in (made / str(label)).glob("*.png")]
        rates.append(float((judge.predict(np.stack(pixels) / 255 * 16) == label).mean()))
    return rates


def measure_classifiers(pieces: list[Piece], count: int) -> None:
    """Train each classifier that is missing, with images of one GAN that saw the same digits."""
    left = list(missing(pieces))
    with tempfile.TemporaryDirectory() as temporary:
        folder, made = Path(temporary), None
        for number, piece in enumerate(left):
            words = piece.words
            if CLASSIFIERS[piece.name].share:
                made = made or helper(count, piece.seed, folder)
                words = words | {"data.extra": str(made)}
            measure(
                piece, words, folder / str(number), lambda found, _: {"accuracy": found["test"]["accuracy"]}
            )


def helper(count: int, seed: int, folder: Path) -> Path:
    """Train a GAN on so many digits per class; a folder of twice as many generated ones."""
    found = finish(gan_lines.generator(count), seed, folder / "gan")
    assert found, "the loss of the generator became NaN"
    return make(folder / "gan", 2 * gan_lines.CLASSES * count, folder / "made")


def make(run: Path, count: int, output: Path) -> Path:
    """Generate images as `imagelab generate` does."""
    composed = compose("generate", [f"run={run}", f"count={count}", f"output={output}"])
    assert composed.cfg is not None, composed.problems
    generate.start(composed.cfg, run)
    return output


def measure(piece: Piece, words: Words, place: Path, of: Callable[[Node, Path], Node]) -> None:
    """Do a run and add its line to the file; a run whose loss became NaN has no measures."""
    began = time.process_time()
    found = finish(words, piece.seed, place)
    seconds = time.process_time() - began
    numbers = {"steps": found["steps"], **of(found, place)} if found else {}
    line = {"name": piece.name, "words": one_line(piece.words), "seed": piece.seed, "cpu_seconds": seconds}
    command = shlex.join(["python", "benchmarks/gan.py", *sys.argv[1:]])
    origin = {"date": str(date.today()), "device": device(), "command": command}
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in numbers.items()}
    with KEPT.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({**line, "cpu_seconds": round(seconds, 1), **rounded, **origin}) + "\n")
    print(f"{piece.name}, seed {piece.seed}: {rounded or 'NaN'}", flush=True)


def kept() -> dict[tuple[str, int], Node]:
    """The runs that are done, by words and seed."""
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.is_file() else []
    return {(line["words"], line["seed"]): line for line in map(json.loads, lines)}


def missing(pieces: list[Piece]) -> Iterator[Piece]:
    """Those that are not done."""
    done = kept()
    return (piece for piece in pieces if (one_line(piece.words), piece.seed) not in done)


def write(seeds: int) -> None:
    """Write both tables of what is done, and how much that is; what somebody wrote below them stays."""
    done = kept()

    def rows(pieces: Callable[[int], list[Piece]]) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for piece in (piece for seed in range(seeds) for piece in pieces(seed)):
            row = done.get((one_line(piece.words), piece.seed))
            found.setdefault(piece.name, []).extend([row] if row else [])
        return found

    tables = [rows(gans), *(rows(partial(classifiers, count)) for count in gan_lines.COUNTS)]
    used = [row for table in tables for found in table.values() for row in found]
    wanted = seeds * sum(len(table) for table in tables)
    text = HEAD.format(
        state="All" if len(used) == wanted else f"This has only begun: {len(used)} of",
        runs=f"{wanted} runs, {', '.join(sorted({row['date'] for row in used}))}",
        device="; ".join(sorted({row["device"] for row in used})),
        seconds=sum(row["cpu_seconds"] for row in used) / 60,
        tricks="\n".join(trick_row(name, found) for name, found in tables[0].items() if found),
        classifiers="\n".join(few_row(name, [table[name] for table in tables[1:]]) for name in CLASSIFIERS),
    )
    _, mark, reading = TABLE.read_text().partition(READING) if TABLE.is_file() else ("", "", "")
    TABLE.write_text(text + mark + reading, encoding="utf-8")


if __name__ == "__main__":
    main()
