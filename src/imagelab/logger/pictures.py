"""Log the first training images as the network sees them, after augmentation and mixing."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image
from torch import Tensor

from imagelab.contracts import Inputs
from imagelab.data.preprocess import Preprocess

COUNT = 16
LEGIBLE = 96  # pixels: smaller images are enlarged to about this side
KEY = "images/augmented"


class AugmentedPictures(Callback):
    """Saves the first training images as `<folder>/images/augmented.png` and logs them.

    Args:
        preprocess: Preprocessing that normalised the images.
        captions: Function from targets (B, ...) to a caption per image (`captions` of the task).
        folder: Folder of the run.
    """

    def __init__(
        self, *, preprocess: Preprocess, captions: Callable[[Tensor], list[str]], folder: Path
    ) -> None:
        self.preprocess, self.captions = preprocess, captions
        self.path = folder / f"{KEY}.png"

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Inputs, batch_idx: int
    ) -> None:
        if batch_idx or trainer.current_epoch or not trainer.is_global_zero:
            return
        images = legible(self.preprocess.denormalise(batch.images[:COUNT].detach()))
        save(self.path, grid(images))
        log_pictures(trainer.loggers, KEY, images, self.captions(batch.targets[:COUNT]), step=0)


def log_pictures(
    loggers: Iterable[object], key: str, images: np.ndarray, words: list[str], *, step: int
) -> None:
    """Send (N, H, W, 3) uint8 images to each logger that shows pictures, to W&B with captions."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(key, list(images), step=step, caption=words)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(key, grid(images), step, dataformats="HWC")
        elif isinstance(logger, MLFlowLogger):
            logger.experiment.log_image(logger.run_id, grid(images), f"{key}.png")


def legible(images: Tensor) -> np.ndarray:
    """(N, C, H, W) uint8 on any device -> (N, H', W', 3) uint8, enlarged by a whole number."""
    pixels = images.permute(0, 2, 3, 1).cpu().numpy()
    if pixels.shape[-1] != 3:
        pixels = pixels[..., :1].repeat(3, axis=-1)
    times = max(1, round(LEGIBLE / max(pixels.shape[1:3])))
    return pixels.repeat(times, axis=1).repeat(times, axis=2)


def grid(images: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) uint8 -> one picture, about as many rows as columns, a white line around each image.

    >>> grid(np.zeros((5, 8, 8, 3), np.uint8)).shape
    (20, 30, 3)
    """
    columns = int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    framed = np.pad(images, ((0, rows * columns - len(images)), (1, 1), (1, 1), (0, 0)), constant_values=255)
    _, height, width, channels = framed.shape
    cells = framed.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return cells.reshape(rows * height, columns * width, channels)


def save(path: Path, picture: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 picture as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, compress_level=1)
