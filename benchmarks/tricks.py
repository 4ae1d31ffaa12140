"""What each trick brings: the same small net on a fixed part of CIFAR-10, with the trick and without it.

    .venv/bin/python benchmarks/tricks.py --data FOLDER [--seeds 3] [--workers 2] [--only mixup,ema]

FOLDER holds train/<class>/ and test/<class>/. Both sides of a comparison have the same seeds, images and
epochs, and every value is the one of its config file: nothing is tuned for this table. Runs are kept in
benchmarks/results/tricks.csv, one line each; those that are there already are not done again, so that seeds
can be added. The table is benchmarks/results/tricks.md; `make docs` shows the differences in docs/tricks.md.
"""

import argparse
import csv
import json
import math
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from imagelab import config, menu
from imagelab.compose import compose

RESULTS = Path(__file__).parent / "results"
BUDGET = (
    "ResNet-9 of width 8, 1,800 training images of CIFAR-10 at 16 x 16 pixels, 10 epochs, "
    "accuracy on 2,000 test images"
)
BASE = {
    "trainer": "cpu",
    "trainer.max_epochs": "10",
    "data": "folder",
    "data.storage": "memory",
    "data.size": "16",
    "data.limit": "2000",
    "data.workers": "0",
    "model": "resnet9",
    "model.width": "8",
    "augment": "[flip,crop]",
    "save_every": "100000",
    "logger": "[]",
}
COLUMNS = ("words", "seed", "accuracy", "seconds")
Words = dict[str, str]


class Pair(NamedTuple):
    """A comparison: what is said beyond the base on the side with the trick, and on the other."""

    name: str
    with_it: Words
    without: Words


def pairs() -> Iterator[Pair]:
    """Every comparison, by the name of the choice: `group=choice`, or `key=value`."""
    for choice in menu.choices("augment"):
        listed = ["flip", "crop"] if choice in ("flip", "crop") else ["flip", "crop", choice]
        without = [one for one in listed if one != choice]
        if choice != "none":
            yield Pair(f"augment={choice}", _list("augment", listed), _list("augment", without))
    for choice in menu.choices("trick"):
        yield Pair(f"trick={choice}", _list("trick", [choice]), {})
    for group, plain in (("optimizer", "sgd"), ("schedule", "constant")):
        for choice in menu.choices(group):
            if choice not in (plain, "lbfgs"):  # a batch of 1,800 images is another budget
                yield Pair(f"{group}={choice}", {group: choice}, {group: plain})
    for key, values in KEYS.items():
        for value in values:
            yield Pair(f"{key}={value}", {key: value}, {})
    yield Pair("data.balance=true", {"data.balance": "true"}, {})


KEYS = {
    "model.norm": ("group", "frozen", "none"),
    "model.init": ("xavier_normal", "kaiming_normal", "orthogonal", "trunc_normal", "small", "large", "lsuv"),
    "model.activation": ("leaky_relu", "gelu", "silu", "tanh", "sigmoid"),
    "model.dropout": ("0.3",),
    "model.dropout2d": ("0.1",),
    "model.stochastic_depth": ("0.2",),
    "model.pool": ("fractional_max",),
    "loss.label_smoothing": ("0.1",),
    "optimizer.weight_decay": ("0", "0.05"),
    "optimizer.decay_norm_bias": ("true",),
    "trainer.gradient_clip_val": ("1",),
    "trainer.accumulate_grad_batches": ("4",),
}


def run(words: Words, seed: int, data: Path) -> tuple[float, float]:
    """Test accuracy of one run, with the weights that validation finds best, and its seconds.

    The accuracy is NaN where the loss became NaN.
    """
    from imagelab import runs, screen
    from imagelab.train import Session

    screen.hush()
    said = [f"{key}={value}" for key, value in (BASE | words).items()]
    composed = compose("train", [*said, f"data.root={data}", f"seed={seed}"])
    assert composed.cfg is not None, composed.problems
    cfg = config.plain(composed.cfg)
    mistakes = composed.problems + config.problems(cfg)
    assert not mistakes, mistakes
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            Session(cfg, Path(folder), None).run()
        except SystemExit:
            said_last = (Path(folder) / "console.log").read_text()
            assert "NaN" in said_last, said_last
            return math.nan, time.perf_counter() - began
        results: Any = json.loads((Path(folder) / runs.RESULTS).read_text())
    return results["test"]["accuracy"], time.perf_counter() - began


def main() -> None:
    """Do the runs that are missing, then write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of CIFAR-10")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--only", default="", help="words that a comparison's name contains, by commas")
    args = parser.parse_args()
    wanted = [pair for pair in pairs() if any(word in pair.name for word in args.only.split(","))]
    kept = _read()
    todo = {
        (_said(words), seed): words
        for seed in range(args.seeds)
        for pair in wanted
        for words in (pair.with_it, pair.without)
        if (_said(words), seed) not in kept
    }
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.workers, mp_context=context) as pool:
        started = {
            pool.submit(run, words, seed, args.data): (said, seed) for (said, seed), words in todo.items()
        }
        for done, future in enumerate(as_completed(started), 1):
            said, seed = started[future]
            if error := future.exception():
                print(f"{said} seed {seed}: {error!r}", flush=True)
                continue
            _keep(said, seed, *future.result())
            print(f"{done}/{len(todo)} {said or 'base'} seed {seed}: {future.result()[0]:.4f}", flush=True)
    (RESULTS / "tricks.md").write_text(table(), encoding="utf-8")


def table() -> str:
    """Every comparison whose runs are there: mean, standard error, paired difference."""
    kept = _read()
    rows = []
    for pair in pairs():
        one, other = _said(pair.with_it), _said(pair.without)
        seeds = [seed for said, seed in kept if said == one and (other, seed) in kept]
        if len(seeds) > 1:
            with_it, without = ([kept[said, seed] for seed in seeds] for said in (one, other))
            gains = [100 * (a - b) for a, b in zip(with_it, without, strict=True)]
            cells = [_spread([100 * a for a in side]) for side in (with_it, without)]
            rows.append((pair, cells, gains, len(seeds)))
    lines = [HEAD.format(budget=BUDGET, date=date.today(), machine=_machine()), *TITLES]
    for pair, cells, gains, seeds in rows:
        lines.append(
            f"| `{pair.name}` | `{_said(pair.without) or 'base'}` | {cells[0]} | {cells[1]} "
            f"| {statistics.fmean(gains):+.1f} ± {_error(gains):.1f} | {seeds} |"
        )
    return "\n".join(lines) + "\n"


HEAD = """# What each trick brings

{budget};
AdamW with one cycle, flip and crop. Both sides of a line differ in the trick alone and share their seeds.
Mean and standard error in percent; the difference is paired by seed. Values are those of the config files,
untuned: a trick for long runs or large nets cannot show itself here, and a difference below two standard
errors shows nothing.

    .venv/bin/python benchmarks/tricks.py --data FOLDER

{date}, {machine}.
"""
TITLES = (
    "| trick | against | with | without | difference | seeds |",
    "|---|---|---|---|---|---|",
)


def _list(group: str, names: list[str]) -> Words:
    return {group: f"[{','.join(names)}]"} if names != ["flip", "crop"] else {}


def _said(words: Words) -> str:
    return " ".join(f"{key}={value}" for key, value in words.items())


def _read() -> dict[tuple[str, int], float]:
    file = RESULTS / "tricks.csv"
    if not file.is_file():
        return {}
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return {(row["words"], int(row["seed"])): float(row["accuracy"]) for row in rows}


def _keep(said: str, seed: int, accuracy: float, seconds: float) -> None:
    file = RESULTS / "tricks.csv"
    new = not file.is_file()
    with file.open("a", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow([said, seed, f"{accuracy:.4f}", f"{seconds:.1f}"])


def _spread(values: list[float]) -> str:
    return f"{statistics.fmean(values):.1f} ± {_error(values):.1f}"


def _error(values: list[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values))


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}"


if __name__ == "__main__":
    main()
