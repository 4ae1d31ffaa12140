"""Fixtures of the loggers' tests: a run with a network that logs its pictures."""

from functools import partial

import pytest
import torch

from imagelab.contracts import Inputs
from imagelab.data.preprocess import Preprocess
from imagelab.task.classify import Classify


@pytest.fixture
def preprocess():
    return Preprocess(size=8, channels=1, mean=[0.5], std=[0.25], resize=8, interpolation="bilinear")


@pytest.fixture
def captions():
    return partial(Classify.captions, classes=["ant", "bee"])


@pytest.fixture
def pixels():
    """Four grey pictures, each of one brightness: (4, 1, 8, 8) uint8."""
    return torch.tensor([0, 60, 128, 255], dtype=torch.uint8)[:, None, None, None].expand(4, 1, 8, 8)


@pytest.fixture
def batch(preprocess, pixels):
    """The pictures as the network sees them; the second is a blend."""
    labels = torch.tensor([0, 1, 1, 0])
    targets = torch.tensor([[1.0, 0.0], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]])
    return Inputs(preprocess(pixels), targets, labels, torch.arange(4))
