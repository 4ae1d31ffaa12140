# room: experiment/cifar10_fast
"""Measure `experiment=cifar10_fast` through the Trainer beside a bare script of the same training.

python benchmarks/cifar10_speed.py --device gpu

Both sides train a ResNet-9 with Nesterov's momentum under one cycle, flip, crop and cutout, on the same
50,000 images of noise in memory: seconds per epoch without validation, the first epoch left out. It measures
speed only. Published on an A100, from scratch to 94%: 2.6 s, https://github.com/KellerJordan/cifar10-airbench.
"""

import argparse
import io
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import lightning
import torch
from loop_overhead import Noise, finish
from ratios import Figure, flag, settle
from torch import Tensor, nn
from torch.nn import functional

from imagelab.build import build
from imagelab.config import schema
from imagelab.config.compose import compose, plain
from imagelab.training.stop import StopRequest

ALLOWED = 2.0  # times the bare script
BATCH = 512


class Epochs(lightning.Callback):
    """Seconds of each epoch of training."""

    def __init__(self, device: str) -> None:
        self.device, self.seconds, self.began = device, list[float](), 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        finish(self.device)
        self.began = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        finish(self.device)
        self.seconds.append(time.perf_counter() - self.began)


def config(count: int, width: int, epochs: int, device: str) -> dict[str, Any]:
    """The config of the experiment, on images of noise."""
    words = [
        "experiment=cifar10_fast",
        f"model.width={width}",
        f"trainer.max_epochs={epochs}",
        f"trainer={device}",
    ]
    cfg = plain(
        compose("train", [*words, "logger=[]", "+trainer.limit_val_batches=0", "monitor=train/loss"]).cfg
    )
    shared = schema.split("data", cfg["data"])[1]
    cfg["data"] = shared | {"_target_": f"{Noise.__module__}.Noise", "side": 32, "count": count}
    return cfg


def ours(count: int, width: int, epochs: int, device: str) -> list[float]:
    """Seconds per epoch as the command trains, the first left out."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        parts = build(config(count, width, epochs, device), Path(folder), StopRequest())
        clock = Epochs(device)
        parts.trainer.callbacks.insert(0, clock)  # pyright: ignore[reportAttributeAccessIssue]
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return clock.seconds[1:]


def bare(count: int, width: int, epochs: int, device: str) -> list[float]:
    """Seconds per epoch of a script that keeps all images on the device, the first left out."""
    place = torch.device("cuda" if device == "gpu" else "cpu")
    split = Noise(side=32, count=count).splits["train"]
    images, labels = split.images.to(place), torch.from_numpy(split.labels).to(place)
    net = network(width).to(place, memory_format=torch.channels_last).train()
    steps = epochs * (count // BATCH)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.4, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.4, total_steps=steps + 1)
    loss = nn.CrossEntropyLoss(label_smoothing=0.2)
    seconds = []
    for _ in range(epochs):
        finish(device)
        began = time.perf_counter()
        order = torch.randperm(count, device=place)
        for first in range(0, count - BATCH + 1, BATCH):
            index = order[first : first + BATCH]
            value = loss(net(augmented(images[index])), labels[index])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
        finish(device)
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def network(width: int) -> nn.Module:
    """The network of the experiment."""
    from imagelab.model.resnet9 import ResNet9

    return ResNet9(num_classes=10, in_channels=3, width=width, kernel_size=3, join="add", logit_scale=0.125)


def augmented(images: Tensor) -> Tensor:
    """Flip, crop by 4 pixels and cut out 8 x 8 pixels, each image for itself; floats around 0."""
    count, side = len(images), images.shape[-1]
    flipped = torch.where(torch.rand(count, 1, 1, 1, device=images.device) < 0.5, images.flip(-1), images)
    padded = functional.pad(flipped.float(), [4] * 4)
    lines = torch.arange(side, device=images.device)
    rows, columns = (torch.randint(0, 9, (count, 1), device=images.device) + lines for _ in range(2))
    each = torch.arange(count, device=images.device)[:, None, None]
    cut = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    top, left = (torch.randint(0, side - 7, (count, 1), device=images.device) for _ in range(2))
    inside = [(lines >= first) & (lines < first + 8) for first in (top, left)]
    hidden = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
    return (cut / 127.5 - 1).masked_fill(hidden, 0).contiguous(memory_format=torch.channels_last)


def main() -> int:
    """Print seconds per epoch of both sides; 1 where ours takes more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--count", type=int, default=50_000, help="images")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=6, help="per round; the first is not counted")
    parser.add_argument("--rounds", type=int, default=3)
    flag(parser)
    told = parser.parse_args()
    warnings.simplefilter("ignore")
    size = (told.count, told.width, told.epochs, told.device)
    rounds = [(min(bare(*size)), min(ours(*size))) for _ in range(told.rounds)]
    print("| side | s per epoch |\n|---|---|")
    for name, seconds in zip(("bare", "ours"), zip(*rounds, strict=True), strict=True):
        print(f"| {name} | {min(seconds):.3f} |")
    ratios = [mine / theirs for theirs, mine in rounds]
    worse = settle("cifar10_speed", [Figure(f"ResNet-9, {told.device}", ratios, "lower")], record=told.record)
    return worse or min(ratios) > ALLOWED


if __name__ == "__main__":
    sys.exit(main())
