"""The command `predict`: a file, folder or glob -> class and probabilities, one CSV line a file.

imagelab predict run=last source=photos/
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

from imagelab import cli, runs, screen
from imagelab.problem import Problem

Node = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Predict:
    """The root keys of configs/predict.yaml."""

    run: str
    source: str
    output: str | None
    batch_size: int


def main() -> None:
    """Predict the classes of pictures."""
    cli.run_hydra(start, "predict", Predict)


def start(cfg: Node, _: Path) -> None:
    """Write a CSV with a line for each file, and say which ones could not be read."""
    from imagelab.predictor import load

    folder = runs.existing(cfg["run"])
    paths = pictures(cfg["source"])
    predictor = load(folder)
    output = Path(cfg["output"] or folder / "predictions.csv")
    unreadable = []
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "class", "probability", *predictor.classes, "error"])
        for line in lines(predictor, paths, cfg["batch_size"]):
            writer.writerow(line)
            unreadable += [line[-1]] if line[-1] else []
    screen.say(*(f"unreadable: {error}" for error in unreadable))
    screen.say(f"{len(paths)} files, {len(unreadable)} of them unreadable. Written to {output}")


def pictures(source: str) -> list[Path]:
    """The files that a source stands for: itself, all files below a folder, or what a glob finds.

    Raises:
        Problem: There are none.
    """
    path = Path(source)
    if path.is_file():
        return [path]
    below = path.rglob("*") if path.is_dir() else map(Path, glob(source, recursive=True))
    found = sorted(file for file in below if file.is_file() and not file.name.startswith("."))
    if not found:
        raise Problem(f"source={source}: no file, no folder with files, and no glob that finds any")
    return found


def lines(predictor: Any, paths: list[Path], batch_size: int) -> Iterator[list[Any]]:
    """For each file: its path, class, the class's probability, all probabilities, and why it was unreadable."""
    for first in range(0, len(paths), batch_size):
        some = paths[first : first + batch_size]
        for path, reading in zip(some, predictor.files(some), strict=True):
            if isinstance(reading, Exception):
                yield [path, "", "", *[""] * len(predictor.classes), reading]
            else:
                best = int(reading.argmax())
                yield [
                    path,
                    predictor.classes[best],
                    *(f"{value:.6f}" for value in (reading[best], *reading)),
                    "",
                ]


if __name__ == "__main__":
    main()
