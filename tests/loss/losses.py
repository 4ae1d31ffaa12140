"""Losses as their configs describe them, for four classes of unequal sizes."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

CONFIGS = Path(__file__).parents[2] / "configs/loss"
NAMES = ["a", "b", "c", "d"]
RARE = np.repeat(np.arange(4), [50, 30, 15, 5])
LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def loss(name: str, labels: np.ndarray = RARE, **changes: Any) -> Any:
    """The loss of a config, with other values, for these training labels."""
    node = OmegaConf.load(CONFIGS / f"{name}.yaml")
    made = instantiate(node, **changes, _partial_=True, _convert_="all")
    return made(classes=NAMES, labels=labels)
