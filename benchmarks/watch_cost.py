"""What each trick that watches a run costs, as a share of the run's time, at its default interval.

    .venv/bin/python benchmarks/watch_cost.py

In one run, the steps that a trick looks at take turns with such as it does not: a look is what its step took
beyond the median of the steps around it, in processor seconds of one thread, and the median of all looks is
what counts. So both sides see the same state of a machine that others use too. A look every `interval` steps
costs a share of look / (interval x step). Looks are made every 8 steps here, to have many; what one costs
does not depend on it. The table goes to benchmarks/results/watch.md.
"""

import argparse
import io
import logging
import statistics
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stdout
from datetime import date
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from many_runs import machine
from ratios import Figure, flag, settle

from imagelab.build import build
from imagelab.config import menu, schema
from imagelab.config.compose import compose, plain
from imagelab.data.arrays import Arrays
from imagelab.training.stop import StopRequest

RESULTS = Path(__file__).parent / "results"
# name: words for the network, side of the images, batch
CASES = {
    "small_cnn": (["model=small_cnn", "model.widths=[16,32,64]"], 16, 64),
    "resnet9": (["model=resnet9", "model.width=16"], 32, 64),
}
TRICKS = ("prediction_dynamics", "activation_stats", "gradient_noise_scale", "first_layer")
EVERY = 8  # steps between two looks
AROUND = 3  # steps on each side that a look is compared with
ALLOWED = 0.05


class Noise:
    """Images and labels without meaning: three channels, ten classes."""

    def __init__(self, *, side: int) -> None:
        rng = np.random.default_rng(0)
        self.classes = [str(i) for i in range(10)]
        images = torch.from_numpy(rng.integers(0, 256, (8192, 3, side, side), dtype=np.uint8))
        self.splits = {
            "train": Arrays(images, rng.integers(0, 10, 8192)),
            "val": Arrays(images[:128], np.arange(128) % 10),
        }


class Clock(lightning.Callback):
    """Processor seconds from the end of each training step to the end of the next.

    Args:
        steps: After so many the run ends.
    """

    def __init__(self, steps: int) -> None:
        self.steps, self.seconds, self.last = steps, dict[int, float](), 0.0

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        now = time.process_time()
        if self.last:
            self.seconds[trainer.global_step] = now - self.last
        self.last = now
        trainer.should_stop = trainer.global_step >= self.steps


def step_seconds(trick: str, words: list[str], side: int, batch: int, looks: int) -> dict[int, float]:
    """Seconds of each step of a run as the command makes it, which the trick looks at every so often."""
    words = [*words, f"data.batch_size={batch}", "trainer=cpu", "trainer.max_epochs=100", f"trick=[{trick}]"]
    words += [f"trick.{trick}.every={EVERY}", "optimizer.lr=1e-5", "schedule=constant", "save_every=1e9"]
    words += ["trick.gradient_noise_scale.start=0"] if trick == "gradient_noise_scale" else []
    composed = compose("train", words).cfg
    assert composed is not None
    cfg = plain(composed)
    cfg["data"] = schema.split("data", cfg["data"])[1] | {"_target_": f"{__name__}.Noise", "side": side}
    clock = Clock(steps=EVERY * (looks + 1) + AROUND)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        parts = build(cfg, Path(folder), StopRequest())
        callbacks: list[Any] = parts.trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
        callbacks.append(clock)
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return clock.seconds


def look_and_step(seconds: dict[int, float], due: set[int]) -> tuple[float, float]:
    """What a look takes beyond its step, and what a step takes, by medians.

    >>> look_and_step({1: 1.0, 2: 1.0, 3: 1.5, 4: 1.0}, due={3})
    (0.5, 1.0)
    """
    beyond = []
    for step in due & seconds.keys():
        near = range(step - AROUND, step + AROUND + 1)
        plain = [seconds[one] for one in near if one in seconds and one not in due]
        beyond.append(seconds[step] - statistics.median(plain))
    return statistics.median(beyond), statistics.median(s for step, s in seconds.items() if step not in due)


def main() -> None:
    """Write the table; exit status 1 where a trick costs more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=24)
    flag(parser)
    told = parser.parse_args()
    looks = told.looks
    torch.set_num_threads(1)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    lines, missed, figures = [], False, list[Figure]()
    for case, (words, side, batch) in CASES.items():
        for trick in TRICKS:
            seconds = step_seconds(trick, words, side, batch, looks)
            # The noise scale looks before a step is counted, the others after.
            first = 1 if trick == "gradient_noise_scale" else 0
            due = {step for step in seconds if step % EVERY == first}
            look, step = look_and_step(seconds, due)
            interval = menu.load(menu.folder() / "trick" / f"{trick}.yaml")[trick]["every"]
            share = max(0.0, look) / (interval * step)
            missed |= share > ALLOWED
            figures.append(Figure(f"{case}, {trick}", [100 * share], "lower", "% of the time"))
            cells = f"{step * 1000:.1f} | {max(0.0, look) * 1000:.2f} | {interval} | {share:.2%}"
            lines.append(f"| {case}, {batch} x {side} px | {trick} | {cells} |")
            print(lines[-1], flush=True)
    names = ("run", "trick", "ms a step", "ms a look", "steps between", "share of the time")
    head = f"| {' | '.join(names)} |\n{'|---' * len(names)}|"
    about = (
        "# What watching a run costs\n\nProcessor time of one thread, the median of "
        f"{looks} looks, each over the steps around it in the same run.\n"
        f"{machine()}, {date.today()}: `.venv/bin/python benchmarks/watch_cost.py --looks {looks}`\n"
    )
    (RESULTS / "watch.md").write_text("\n".join([about, head, *lines, ""]), encoding="utf-8")
    sys.exit(settle("watch_cost", figures, record=told.record) or missed)


if __name__ == "__main__":
    main()
