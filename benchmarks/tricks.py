"""Test each claim of claims.yaml: runs with the trick and without it, paired by seed.

    .venv/bin/python benchmarks/tricks.py [--data FOLDER] [--minutes 60] [--only mixup,ema] [--budget full]

FOLDER is CIFAR-10 with train/<class>/ and test/<class>/; without it the claims about photos wait. Each run is
a line of benchmarks/results/tricks.jsonl and is never repeated, so a piece of any length resumes where the
last one stopped. Claims are tested in the order of claims.yaml with five seeds each, then those that are not
resolved with five more. Rates are tuned on validation images, with a seed that no comparison uses. The small
budget takes a second or two per run on one core; the full one needs a GPU. docs/evidence.md is written anew.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import claim_data
import claims
import torch
from claims import BUDGETS, TUNING, Claim, Lines, Side
from many_runs import Words, finish, one_line
from ratios import device
from tricks_page import KEPT, effects, lines, write_page

from imagelab import evaluate
from imagelab.config.compose import compose, plain
from imagelab.terminal import screen

EXACT = 4  # decimals kept


class Piece(NamedTuple):
    """A run that is missing: the side that wants it, its words and seed."""

    side: Side
    words: str
    seed: int


class Places(NamedTuple):
    """The folders that words stand for."""

    data: Path
    kept: Path


def main() -> None:
    """Do the runs that are missing while there is time, then write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="the folder of CIFAR-10")
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "imagelab-tricks")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no run after so long")
    parser.add_argument("--seeds", type=int, default=5, help="of each side; twice as many where unresolved")
    parser.add_argument("--only", default="", help="parts of names or regimes of claims, with commas")
    parser.add_argument("--budget", choices=BUDGETS, default="small")
    args = parser.parse_args()
    torch.set_num_threads(1)
    screen.hush()
    claim_data.prepare(args.kept, args.data and args.data.resolve())
    places = Places(args.data.resolve() if args.data else Path(), args.kept.resolve())
    wanted = [
        claim
        for claim in claims.claims(args.budget)
        if any(part in f"{claim.name} {claim.regime}" for part in args.only.split(","))
        and (args.data or "{data}" not in claim.with_it.words)
    ]
    fill(wanted, args.seeds, time.monotonic() + 60 * args.minutes, places)
    write_page()


def fill(wanted: list[Claim], seeds: int, until: float, places: Places) -> None:
    """Do missing runs, one after another, until a time; a claim whose run fails is left out."""
    failed: set[str] = set()
    while time.monotonic() < until:
        left = [claim for claim in wanted if not failed & {claim.with_it.words, claim.without.words}]
        piece = next(missing(left, seeds, lines()), None)
        if piece is None:
            return
        try:
            keep(piece, places)
        except (AssertionError, KeyError, RuntimeError, SystemExit) as error:
            failed.add(piece.side.words)
            print(f"{piece.words}: {error!r}"[:2000], flush=True)


def missing(wanted: list[Claim], seeds: int, known: Lines) -> Iterator[Piece]:
    """Runs that are not there: for each claim, then again for those that its seeds do not resolve."""
    for claim in wanted:
        yield from _of_claim(claim, seeds, known)
    for claim in wanted:
        found = effects(claim, known)
        if len(found.gains) == seeds and found.verdict == "not resolved" and any(found.gains):
            yield from _of_claim(claim, 2 * seeds, known)


def _of_claim(claim: Claim, seeds: int, known: Lines) -> Iterator[Piece]:
    for seed in range(seeds):
        for side in (claim.without, claim.with_it):
            if side.factors:
                tuning = [Piece(side, side.at(factor), TUNING) for factor in side.factors]
                yield from (piece for piece in tuning if (piece.words, TUNING) not in known)
            words = side.chosen(known)
            if words and (side.named(words), seed) not in known:
                yield Piece(side, words, seed)


def keep(piece: Piece, places: Places) -> None:
    """Do a run and add its line."""
    start(piece.side.start, places)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        numbers = measure(piece, places, Path(folder))
    line = {"words": piece.side.named(piece.words), "seed": piece.seed, **numbers}
    line |= {"seconds": round(time.process_time() - began, 2), "date": str(date.today()), "device": device()}
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{line['seconds']:6.1f} s, {line['accuracy']}: {line['words']}, seed {piece.seed}", flush=True)


def measure(piece: Piece, places: Places, folder: Path) -> dict[str, Any]:
    """Accuracy on test and val, loss on val and epochs of a run; chance level where the loss became NaN."""
    results = finish(located(claims.words_of(piece.words), places), piece.seed, folder)
    if results is None:
        return {"accuracy": None}
    accuracy = results["test"]["accuracy"]
    if piece.side.evaluate:
        words = [f"run={folder}", *piece.side.evaluate.split()]
        composed = compose("evaluate", words)
        assert composed.cfg is not None, composed.problems
        evaluate.start(plain(composed.cfg), folder)
        accuracy = json.loads((folder / evaluate.RESULT).read_text())["metrics"]["accuracy"]
    numbers = {"accuracy": accuracy, "val": results["val"]["accuracy"], "val_loss": results["val"]["loss"]}
    return {key: round(value, EXACT) for key, value in numbers.items()} | {"epochs": results["epochs"]}


def start(name: str, places: Places) -> None:
    """Train the network that a side starts from, if it is not there."""
    folder = places.kept / name / "0"
    if name and not (folder / "results.json").is_file():
        assert finish(located(claims.start_words(name), places), 0, folder)


def located(words: Words, places: Places) -> Words:
    """Words with the folders of this machine."""
    line = one_line(words).replace("{data}", str(places.data)).replace("{kept}", str(places.kept))
    return claims.words_of(line)


if __name__ == "__main__":
    main()
