"""Outputs of several ranks are sorted into the order of the split, with names, images and a table."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from imagelab.data.arrays import Arrays
from imagelab.data.batches import EvalBatches
from imagelab.data.named import named
from imagelab.evaluation.predictions import of_split
from imagelab.task.classify import Classify

COUNT = 23
PIXELS = torch.arange(COUNT, dtype=torch.uint8)[:, None, None, None].expand(COUNT, 1, 4, 4)
LABELS = np.arange(COUNT) % 3
TASK = Classify(loss=torch.nn.CrossEntropyLoss(), classes=["a", "b", "c"])
SPLITS = {"val": Arrays(PIXELS, LABELS)}
DATA = SimpleNamespace(classes=["a", "b", "c"], named=named(SPLITS), splits=SPLITS, signals={})


def gathered(ranks: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What the ranks hand over: logits that tell the image's place."""
    shares = [EvalBatches(COUNT, batch_size=4, rank=rank, ranks=ranks) for rank in range(ranks)]
    places = np.concatenate([address.index for share in shares for address in share])
    logits = torch.from_numpy(np.stack([places, -places, 0 * places], axis=1)).float()
    return logits, torch.from_numpy(LABELS[places])


@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_outputs_of_any_number_of_ranks_come_back_in_order(ranks):
    found = of_split(DATA, "val", "raw", gathered(ranks), task=TASK, ranks=ranks)
    assert found.outputs[:, 0].tolist() == list(range(COUNT))
    assert found.labels.tolist() == LABELS.tolist()
    assert found.name(7) == "val/7"
    pixels = found.pixels(7, 96)
    assert pixels is not None
    assert pixels.shape == (4, 4, 3)
    assert (pixels == 7).all()


def test_part_of_a_split_has_no_names_rather_than_wrong_ones():
    logits, labels = gathered(2)
    found = of_split(DATA, "val", "raw", (logits[:9], labels[:9]), task=TASK, ranks=2)
    assert found.pixels(3, 96) is None
    assert found.name(3) == "val 3"
    assert len(found.predicted) == 9
