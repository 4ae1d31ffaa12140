"""Measure human accuracy on held-out images: choose their order, store the answers, evaluate them.

Some images come twice: a person's self-agreement limits the accuracy that the task allows.

Source: Karpathy 2014, "What I learned from competing against a ConvNet on ImageNet", https://karpathy.github.io.
"""

import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from imagelab.evaluation.per_class import wilson
from imagelab.finding import Finding
from imagelab.problem import Problem
from imagelab.randomness import stream
from imagelab.runs.csv_cells import Writer, read_rows

TWICE = 0.2  # share of the images that are shown twice
APART = 0.5  # share of the images that is shown before any repetition


@dataclass(frozen=True)
class Said:
    """An answer. number: index in the order. file, given, said: image, its label, the person's label."""

    number: int
    file: str
    given: str
    said: str
    seconds: float


def order_of(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose `count` images, equally many of each class if possible, shuffle them, and repeat a fifth.

    Args:
        labels: (N,) int64.
        count: Number of different images, at most N.
        seed: Seed of the choice and the order.
    """
    rng = stream(seed, "annotate")
    mixed = rng.permutation(len(labels))
    turn = np.zeros(len(labels))
    for label in np.unique(labels):
        mine = np.flatnonzero(labels[mixed] == label)
        turn[mine] = np.arange(len(mine)) + rng.random()  # one of each class, then the next of each
    once = rng.permutation(mixed[np.argsort(turn, kind="stable")][:count])
    early = int(APART * len(once))
    again = once[:early][: round(TWICE * len(once))]
    late = rng.permutation(np.concatenate([once[early:], again]))
    return np.concatenate([once[:early], late])


def findings(said: Sequence[Said], total: int) -> list[Finding]:
    """Human accuracy and self-agreement so far.

    Args:
        said: Answers so far.
        total: Number of images to answer.
    """
    first, second = _first_and_second(said)
    right = sum(one.said == one.given for one in first)
    agreed = sum(one.said == other.said for one, other in second)
    rest = f"{len(said)} of {total} answered"
    return [
        _share("human accuracy", right, len(first), f"share of images labelled correctly; {rest}"),
        _share("self-agreement", agreed, len(second), "share of repeated images answered alike"),
    ]


class Answers:
    """Answers in a CSV file, each written at once.

    Args:
        path: CSV file; the answers of an existing file count.
        files: Names of the images in the order shown; those shown twice are in it twice.
    """

    def __init__(self, path: Path, files: Sequence[str]) -> None:
        self.path = path
        self.said = _read(path)
        for place, one in enumerate(self.said):
            if place >= len(files) or one.file != files[place]:
                raise Problem(f"annotate: {path} is for other images; use the same data=... as before")

    def add(self, one: Said) -> None:
        """Add an answer and flush it to disk."""
        new = not self.path.exists() or not self.path.stat().st_size
        with self.path.open("a", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = Writer(file)
            if new:
                writer.writerow([field.name for field in fields(Said)])
            writer.writerow(astuple(one))
            file.flush()
            os.fsync(file.fileno())
        self.said.append(one)


def _first_and_second(said: Sequence[Said]) -> tuple[list[Said], list[tuple[Said, Said]]]:
    """The first answer to each image, and the pairs of answers to images shown twice."""
    first: dict[str, Said] = {}
    second = []
    for one in said:
        if one.file in first:
            second.append((first[one.file], one))
        else:
            first[one.file] = one
    return list(first.values()), second


def _share(name: str, hits: int, total: int, why: str) -> Finding:
    if not total:
        return Finding(name=name, status="INFO", value=None, expected="", why=f"{why}; none yet", fix="")
    low, high = wilson(hits, total)
    value = {"share": round(hits / total, 6), "low": round(low, 6), "high": round(high, 6), "images": total}
    return Finding(name=name, status="INFO", value=value, expected="", why=why, fix="")


def _read(path: Path) -> list[Said]:
    if not path.exists():
        return []
    whole = path.read_bytes()
    if not whole.endswith(b"\n"):  # a kill can leave half a line
        path.write_bytes(whole[: whole.rfind(b"\n") + 1])
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [
            Said(int(row["number"]), row["file"], row["given"], row["said"], float(row["seconds"]))
            for row in read_rows(file)
        ]
