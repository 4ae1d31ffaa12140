"""Keep in the best checkpoint of a run how its network sees val images, to tell what is unlike them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from imagelab.checkpoints.content import NEARNESS, better, predicts
from imagelab.checkpoints.durable import read, write_durably
from imagelab.data.image_data import ImageData
from imagelab.loading import from_checkpoint
from imagelab.metrics.nearness import LEAST, nearness
from imagelab.metrics.table import CLASSES
from imagelab.predictor import Predictor

MOST = 1000  # images: 2 to 4 MB of features
BATCH = 64  # images


def keep_known_features(path: Path, data: ImageData, device: torch.device) -> None:
    """Write the features of up to 1,000 val images into a checkpoint; nothing if it predicts no classes.

    Args:
        path: Checkpoint, whose better weights compute the features.
        data: Images of its run.
        device: Device to compute on.
    """
    content = read(path)
    images = len(data.splits["val"].labels)
    if predicts(content) != CLASSES or images < LEAST:
        return
    predictor = from_checkpoint(content).to(device)
    places = np.unique(np.linspace(0, images - 1, min(images, MOST)).round().astype(np.int64))
    found = torch.from_numpy(np.concatenate([*_features(predictor, data, places)]))
    content[NEARNESS] = {better(content): nearness(found).to_dict()}
    write_durably(path, lambda file: torch.save(content, file))


def _features(predictor: Predictor, data: ImageData, places: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(places), BATCH):
        index = places[first : first + BATCH]
        batch = data.plain("val", index)
        yield predictor.with_features(batch.images, batch.signals)[1]
