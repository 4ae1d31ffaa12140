"""Measure every strategy of transfer learning on four sets, from 10 to 200 pictures a class.

    .venv/bin/python benchmarks/transfer.py --data FOLDER [--minutes 60] [--only hymenoptera_10,cells_10]

FOLDER holds hymenoptera/, bccd/, clothing/ and cifar10/. EfficientNet-Lite0 with ImageNet weights goes on to
each set with 10, 50 and 200 pictures a class. Each strategy gets the same three rates; the best by validation
accuracy of seed 0 is used for all seeds, which draw the same training pictures for every strategy. `lp_ft`
fine-tunes everything from the weights of the linear probe (Kumar et al. 2022,
https://arxiv.org/abs/2202.10054). Each finished run is a line of benchmarks/results/transfer.jsonl and is not
repeated; the table is in transfer.md.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from many_runs import Words, error, finish, machine
from transfer_sets import COUNTS, SETS, manifest

from imagelab.config import menu

RESULTS = Path(__file__).parent / "results"
RECORD, TABLE = RESULTS / "transfer.jsonl", RESULTS / "transfer.md"
RATES = (0.0005, 0.002, 0.008)
EPOCHS = {10: 15, 50: 10, 200: 5}
LONGER = 4  # times as many epochs for a linear probe, whose features are computed once
SEEDS = 3
PROBE, LP_FT = "linear_probe", "lp_ft"
STRATEGIES = [PROBE, *(name for name in menu.choices("finetune") if name not in ("auto", PROBE)), LP_FT]
BASE = {
    "trainer": "cpu",
    "data": "folder",
    "data.size": "112",
    "data.workers": "0",
    "data.batch_size": "16",
    "optimizer": "adamw",
    "schedule": "cosine",
    "model": "efficientnet_lite0",
    "save_every": "100000",
    "logger": "[]",
}
Key = tuple[str, int, str, float, int]


class Cell(NamedTuple):
    """A set, and the number of training pictures a class."""

    name: str
    count: int

    def __str__(self) -> str:
        return f"{self.name}_{self.count}"


CELLS = [Cell(name, count) for count, name in product(COUNTS, SETS)]


class Bench:
    """The runs, as they are and as they are wanted.

    Args:
        data: Folder with the sets.
        kept: Folder for small pictures and for the probes that `lp_ft` starts from.
        until: Time at which no run begins any more.
    """

    def __init__(self, data: Path, kept: Path, until: float) -> None:
        self.data, self.kept, self.until = data, kept, until
        self.done = read()

    def fill(self, cell: Cell, strategies: Sequence[str]) -> None:
        """Do the missing runs of a cell: each strategy at all rates, then the other seeds at the best."""
        for strategy in strategies:
            for rate in RATES:
                self.run(cell, strategy, rate, 0)
        for strategy, seed in product(strategies, range(1, SEEDS)):
            self.run(cell, strategy, best_rate(self.done, cell, strategy), seed)

    def run(self, cell: Cell, strategy: str, rate: float, seed: int) -> None:
        """Do a run, unless it is done, and keep it."""
        key = (*cell, strategy, rate, seed)
        if key in self.done:
            return
        if time.monotonic() > self.until:
            raise TimeoutError
        with tempfile.TemporaryDirectory() as place:
            began = time.process_time()
            results = finish(self.words(cell, strategy, rate, seed), seed, Path(place))
        line = {
            **dict(zip(("set", "count", "strategy", "rate", "seed"), key, strict=True)),
            "val": results["val"]["accuracy"] if results else None,
            "test": results["test"]["accuracy"] if results else None,
            "cpu_seconds": round(time.process_time() - began, 1),
        }
        with RECORD.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.done[key] = line
        print(line, flush=True)

    def words(self, cell: Cell, strategy: str, rate: float, seed: int) -> Words:
        """What a run is told."""
        words = BASE | {
            "data.root": str(self.kept),
            "data.manifest": str(manifest(self.data, self.kept, *cell, seed)),
            "optimizer.lr": str(rate),
            "trainer.max_epochs": str(EPOCHS[cell.count]),
        }
        if strategy == PROBE:
            more = {"finetune.views": "1", "trainer.max_epochs": str(LONGER * EPOCHS[cell.count])}
            return words | more | {"model.pretrained": "true", "finetune": PROBE}
        if strategy == LP_FT:
            probe = self.kept / "probes" / f"{cell}_{seed}"
            if not (probe / "results.json").is_file():
                finish(self.words(cell, PROBE, best_rate(self.done, cell, PROBE), seed), seed, probe)
            return words | {"augment": "[flip]", "model.weights": str(probe), "finetune": "full"}
        return words | {"augment": "[flip]", "model.pretrained": "true", "finetune": strategy}


def best_rate(done: dict[Key, Any], cell: Cell, strategy: str) -> float:
    """The rate with the best validation accuracy of seed 0, the lowest of equals."""
    found = {rate: done[*cell, strategy, rate, 0]["val"] for rate in RATES}
    return max(RATES, key=lambda rate: found[rate] if found[rate] is not None else -1.0)


def read() -> dict[Key, Any]:
    """The finished runs."""
    if not RECORD.is_file():
        return {}
    lines = [json.loads(line) for line in RECORD.read_text(encoding="utf-8").splitlines()]
    return {(one["set"], one["count"], one["strategy"], one["rate"], one["seed"]): one for one in lines}


def scores(done: dict[Key, Any], cell: Cell, strategy: str) -> dict[int, float]:
    """The test accuracy by seed at the best rate, as far as done; empty while rates are missing."""
    if any((*cell, strategy, rate, 0) not in done for rate in RATES):
        return {}
    rate = best_rate(done, cell, strategy)
    found = {seed: done.get((*cell, strategy, rate, seed)) for seed in range(SEEDS)}
    return {seed: one["test"] or 0.0 for seed, one in found.items() if one}


def table(done: dict[Key, Any]) -> str:
    """Mean and standard error of the test accuracy of each strategy in each cell that has begun."""
    begun = [cell for cell in CELLS if any(scores(done, cell, strategy) for strategy in STRATEGIES)]
    wanted = len(CELLS) * len(STRATEGIES)
    whole = sum(len(scores(done, cell, strategy)) == SEEDS for cell, strategy in product(CELLS, STRATEGIES))
    seconds = sum(one["cpu_seconds"] for one in done.values())
    head = HEAD.format(
        date=date.today(),
        machine=machine(),
        whole=whole,
        wanted=wanted,
        runs=len(done),
        epochs=", ".join(str(count) for count in EPOCHS.values()),
        hours=seconds / 3600,
    )
    return "\n".join([head, *rows(done, begun)]) + "\n"


def rows(done: dict[Key, Any], begun: list[Cell]) -> Iterator[str]:
    """The lines of the table."""
    yield f"| strategy | {' | '.join(f'{cell.name}, {cell.count}' for cell in begun)} |"
    yield "|---" * (len(begun) + 1) + "|"
    for strategy in STRATEGIES:
        cells = [shown(scores(done, cell, strategy), scores(done, cell, PROBE)) for cell in begun]
        yield f"| `{strategy}` | {' | '.join(cells)} |"


def shown(found: dict[int, float], probe: dict[int, float]) -> str:
    """Scores in percent, and in brackets the difference from the linear probe, paired by seed."""
    if not found:
        return ""
    mean = f"{100 * statistics.fmean(found.values()):.1f}"
    mean += (
        f" ± {100 * error([*found.values()]):.1f}" if len(found) == SEEDS else f", {len(found)} of {SEEDS}"
    )
    gains = [100 * (found[seed] - probe[seed]) for seed in found if seed in probe]
    return f"{mean} ({statistics.fmean(gains):+.1f})" if gains and found != probe else mean


HEAD = """# What transfer from ImageNet brings

EfficientNet-Lite0 with ImageNet weights at 112 pixels, with so many training pictures a class (or all, if
there are fewer); 10 more a class choose the epoch and the rate. Mean and standard error of the test
accuracy in percent over three seeds, each with training pictures of its own, the same for every strategy;
in brackets the difference from the linear probe, paired by seed. AdamW, cosine, flip, the best of the rates
0.0005, 0.002 and 0.008 by seed 0; {epochs} epochs, and four times as many for the probe, whose features are
computed once.
{whole} of {wanted} entries are complete ({runs} runs, {hours:.1f} CPU hours).

    .venv/bin/python benchmarks/transfer.py --data FOLDER

{date}, {machine}.
"""


def main() -> int:
    """Do the runs that are missing, cell by cell, then write the table; 1 if the time was up before."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with the sets")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="after these, no run begins")
    parser.add_argument("--only", help="cells, such as hymenoptera_10,cells_10; else all")
    parser.add_argument("--strategies", help="such as linear_probe,lp_ft; else all, lp_ft after linear_probe")
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "imagelab-transfer-sets")
    args = parser.parse_args()
    args.kept.mkdir(parents=True, exist_ok=True)
    bench = Bench(args.data.resolve(), args.kept.resolve(), time.monotonic() + 60 * args.minutes)
    asked = args.only.split(",") if args.only else [str(cell) for cell in CELLS]
    strategies = args.strategies.split(",") if args.strategies else STRATEGIES
    try:
        for cell in CELLS:
            if str(cell) in asked:
                bench.fill(cell, strategies)
    except TimeoutError:
        return 1
    finally:
        TABLE.write_text(table(read()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
