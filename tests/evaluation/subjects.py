"""Networks and images to evaluate, without a training."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.preprocess import Preprocess
from imagelab.data.reader import Reader
from imagelab.evaluation.members import Member
from imagelab.evaluation.one_pass import probabilities
from imagelab.evaluation.tta import Tta
from imagelab.model.small_cnn import SmallCNN
from imagelab.predictor import Predictor
from imagelab.task.classify import Classify

CLASSES = ["a", "b", "c", "d"]
TASK = Classify(loss=nn.CrossEntropyLoss(), classes=CLASSES)


def preprocess(size: int, resize: int | None = None, channels: int = 3) -> Preprocess:
    mean, std = [0.4] * channels, [0.2] * channels
    return Preprocess(
        size=size, channels=channels, mean=mean, std=std, resize=resize or size, interpolation="bilinear"
    )


def small_net(seed: int, widths: tuple[int, ...] = (8, 12), channels: int = 3) -> nn.Module:
    """One with statistics and weights that make its answers differ from image to image."""
    torch.manual_seed(seed)
    net = SmallCNN(num_classes=len(CLASSES), in_channels=channels, widths=widths, kernel_size=3)
    net.train()(3 * torch.randn(32, channels, 16, 16))
    net.head.weight.data *= 8
    return net.eval()


def member(
    net: nn.Module, form: Preprocess, shape: list[int] | None = None, precision: str = "32-true"
) -> Member:
    """A network with its preprocessing; `shape`: of its training images in memory, None: they were photos."""
    reader = Reader(least=form.resize, shape=shape)
    predictor = Predictor(net=net, classes=CLASSES, preprocess=form, reader=reader, task=TASK)
    whole = {"model": {"widths": [8, 12]}, "trainer": {"precision": precision}}
    order = list(range(len(CLASSES)))
    return Member(
        folder=Path("run"),
        checkpoint="best",
        weights="raw",
        cfg=whole,
        predictor=predictor,
        order=order,
        card={"classes": CLASSES, "preprocess": form.to_dict()},
    )


def arrays(count: int, height: int, width: int, channels: int = 3) -> Arrays:
    rng = np.random.default_rng(0)
    low = rng.integers(0, 256, (count, channels, 4, 4), dtype=np.uint8)
    pixels = nn.functional.interpolate(torch.from_numpy(low).float(), (height, width), mode="bilinear")
    return Arrays(pixels.to(torch.uint8), np.arange(count) % len(CLASSES))


def photos(root: Path, count: int) -> Files:
    """Of many sizes, in files that lose nothing."""
    rng, paths = np.random.default_rng(1), []
    for i in range(count):
        width, height = (int(side) for side in rng.integers(40, 80, 2))
        picture = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize((width, height))
        paths.append(root / f"{i}.png")
        picture.save(paths[-1])
    return Files(paths, np.arange(count) % len(CLASSES))


def asked(members: list[Member], images: Any, tta: Tta | None = None, batch_size: int = 16) -> torch.Tensor:
    """What members say of images, (M, N, K)."""
    form = members[0].predictor.preprocess
    data: Any = SimpleNamespace(
        splits={"test": images},
        named={"test": SimpleNamespace(images=images)},
        workers=0,
        signals={},
        preprocess=form,
    )
    return probabilities(members, data, "test", tta=tta, batch_size=batch_size, device=torch.device("cpu"))
