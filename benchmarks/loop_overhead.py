"""What the training loop costs over a bare PyTorch loop with the same network, data and optimizer.

    .venv/bin/python benchmarks/loop_overhead.py

Both sides in one process, taking turns, step times of each compared by their medians; our side
with the progress bar, metrics.csv, metrics and checkpoints on, as a user runs it. The bare side does the same
work per step: gather a batch of uint8 images, normalise, forward, loss, backward, optimizer step; it logs
nothing.
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
from itertools import chain
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from ratios import Figure, flag, settle
from torch import nn

from imagelab.build import build
from imagelab.config import schema
from imagelab.config.compose import compose, plain
from imagelab.data.arrays import Arrays
from imagelab.training.stop import StopRequest

# name: network, side of the images, batch, batches an epoch, the most that is allowed
CASES = {
    "tiny MLP": ("mlp", 8, 128, 400, 2.6),
    "small CNN": ("cnn", 24, 64, 40, 1.10),
    "wide CNN": ("wide", 40, 64, 15, 1.04),
}


class Noise:
    """Images and labels without meaning, as many as a case needs."""

    def __init__(self, *, side: int, count: int) -> None:
        rng = np.random.default_rng(0)
        self.classes = [str(i) for i in range(10)]
        images = torch.from_numpy(rng.integers(0, 256, (count, 3, side, side), dtype=np.uint8))
        self.splits = {
            "train": Arrays(images, rng.integers(0, 10, count)),
            "val": Arrays(images[:128], np.arange(128) % 10),
        }


def network(kind: str, *, in_channels: int, size: int, num_classes: int) -> nn.Module:
    """The network of a case."""
    if kind == "mlp":
        inputs = in_channels * size * size
        return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, num_classes))
    width = 16 if kind == "cnn" else 48
    layers: list[nn.Module] = []
    for before, after in ((in_channels, width), (width, 2 * width)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, num_classes))


def finish(device: str) -> None:
    """Wait until the device has done all that it was given."""
    if device == "gpu":
        torch.cuda.synchronize()


class Clock(lightning.Callback):
    """Seconds from the end of each training step to the end of the next, within an epoch."""

    def __init__(self, device: str) -> None:
        self.device, self.steps, self.last = device, list[float](), 0.0

    def on_train_batch_end(self, *args: Any) -> None:
        finish(self.device)
        now, batch_idx = time.perf_counter(), args[-1]
        if batch_idx:
            self.steps.append(now - self.last)
        self.last = now


def ours(kind: str, side: int, batch: int, batches: int, epochs: int, device: str) -> list[float]:
    """Step times of a run as the command makes it."""
    target = f"{__name__}.Noise"
    words = [
        f"data.batch_size={batch}",
        f"trainer.max_epochs={epochs}",
        f"trainer={device}",
        "optimizer=adamw",
        "schedule=constant",
        f"optimizer.lr={1e-4}",
        "optimizer.weight_decay=0",
    ]
    composed = compose("train", words).cfg
    cfg = plain(composed)
    shared = schema.split("data", cfg["data"])[1]
    cfg["data"] = shared | {"_target_": target, "side": side, "count": batch * batches}
    shared = schema.split("model", cfg["model"])[1]
    cfg["model"] = shared | {"_target_": f"{__name__}.network", "kind": kind}
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        parts = build(cfg, Path(folder), StopRequest())
        clock = Clock(device)
        parts.trainer.callbacks.insert(0, clock)
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return clock.steps


def bare(kind: str, side: int, batch: int, batches: int, epochs: int, device: str) -> list[float]:
    """Step times of the plainest loop."""
    place = torch.device("cuda" if device == "gpu" else "cpu")
    split = Noise(side=side, count=batch * batches).splits["train"]
    images, labels = split.images.to(place), torch.from_numpy(split.labels).to(place)
    scale, shift = torch.full((1, 3, 1, 1), 1 / 127.5).to(place), torch.full((1, 3, 1, 1), -1.0).to(place)
    net = network(kind, in_channels=3, size=side, num_classes=10).to(place).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0)
    loss = nn.CrossEntropyLoss()
    times = []
    for _ in range(epochs):
        last = time.perf_counter()
        order = torch.randperm(len(images), device=place)
        for first in range(0, len(images), batch):
            index = order[first : first + batch]
            pixels = images.index_select(0, index).float().mul_(scale).add_(shift)
            value = loss(net(pixels), labels[index])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            finish(device)
            now = time.perf_counter()
            if first:
                times.append(now - last)
            last = now
    return times


def main() -> None:
    """Print a line for each case; exit status 1 where one costs more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--case", choices=list(CASES))
    parser.add_argument(
        "--threads", type=int, default=1, help="of torch; two that share busy cores only measure that"
    )
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    flag(parser)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print("| case | bare ms a step | ours ms a step | ratio | allowed |\n|---|---|---|---|---|")
    missed, figures = False, []
    for name, (*case, allowed) in CASES.items():
        if args.case not in (None, name):
            continue
        rounds = [
            (bare(*case, args.epochs, args.device), ours(*case, args.epochs, args.device))
            for _ in range(args.rounds)
        ]
        plain, full = (statistics.median(chain(*side)) * 1000 for side in zip(*rounds, strict=True))
        missed |= full / plain > allowed
        print(f"| {name} | {plain:.3f} | {full:.3f} | {full / plain:.2f} | {allowed} |", flush=True)
        ratios = [statistics.median(mine) / statistics.median(theirs) for theirs, mine in rounds]
        figures.append(Figure(name if args.device == "cpu" else f"{name}, {args.device}", ratios, "lower"))
    print()
    sys.exit(settle("loop_overhead", figures, record=args.record) or missed)


if __name__ == "__main__":
    main()
