"""Give batches what the network sees of each image besides its pixels."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from imagelab.contracts import Batch
from imagelab.data.batches import Address
from imagelab.data.named import Named
from imagelab.data.preprocess import Preprocess
from imagelab.data.signals import Signals, encode, fit_columns
from imagelab.data.visible import Visible

WHOLE = [[0.0, 0.0, 1.0, 1.0]]  # a box around all of an image


class Signalled(Dataset[Batch]):
    """The batches of a data set with the signals of each image.

    Args:
        batches: Data set that provides the images.
        signals: Signals of all images of the split, (N, S) float32.
    """

    def __init__(self, batches: Dataset[Batch], signals: Tensor) -> None:
        self.batches, self.signals = batches, signals

    def __getitem__(self, address: Address) -> Batch:
        return self.batches[address]._replace(signals=self.signals[torch.from_numpy(address.index)])


def fit_signals(
    source: Any, named: Mapping[str, Named], given: Preprocess
) -> tuple[Preprocess, dict[str, Tensor]]:
    """Fit the columns of a source to its training images: the preprocessing with them, the signals by split.

    The signals of a split are (N, S) float32.

    Args:
        source: Data set, with or without columns beside its labels.
        named: Splits of the run as they came from the source.
        given: Preprocessing of the run; its own columns stay if they have the same names.
    """
    found: Signals | None = getattr(source, "signals", None)
    if found is None or not found.names:
        return replace(given, signals=[]), {}
    cells = {split: _cells(found, part) for split, part in named.items()}
    known = [column["name"] for column in given.signals] == found.names
    columns = given.signals if known else fit_columns(found.names, cells["train"])
    encoded = {split: torch.from_numpy(encode(columns, own, split)) for split, own in cells.items()}
    return replace(given, signals=columns), encoded


def without_image(source: Any, visible: Visible) -> Visible:
    """What the network sees of an image: nothing if `data.signals` does not name it."""
    found: Signals | None = getattr(source, "signals", None)
    return visible if found is None or found.image else replace(visible, mask=WHOLE)


def _cells(found: Signals, part: Named) -> np.ndarray:
    """The cells of a split, (N, columns) str, by the places of its images in the source."""
    cells = np.empty((len(part), len(found.names)), dtype=object)
    for origin in np.unique(part.origins).tolist():
        mine = part.origins == origin
        cells[mine] = found.cells[origin][part.places[mine]]
    return cells.astype(np.str_)
