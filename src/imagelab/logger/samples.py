"""Picture what a generator makes of the same noise over the epochs, a row per class."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Callback
from torch import Tensor

from imagelab.augment.noise import noise_of
from imagelab.config.facts import said_by
from imagelab.data.preprocess import Preprocess
from imagelab.logger.nearest import NearestPictures  # room: generators
from imagelab.logger.pictures import AugmentedPictures, grid, legible, log_pictures, save

SIDE = 8  # images in a row and in a column
KEPT = 12  # epochs that keep a picture of their own
KEY = "images/samples"


class SamplePictures(Callback):
    """Saves `<folder>/images/samples.png` after each epoch, and up to 12 epochs as `samples/epoch_0001.png`.

    Args:
        preprocess: Preprocessing of the training images.
        classes: Number of classes.
        folder: Folder of the run.
    """

    def __init__(self, *, preprocess: Preprocess, classes: int, folder: Path) -> None:
        self.preprocess, self.classes, self.folder = preprocess, classes, folder

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        epoch = trainer.current_epoch + 1
        images = legible(self.preprocess.denormalise(self._made(pl_module)))
        picture = grid(images)
        save(self.folder / f"{KEY}.png", picture)
        if epoch in kept_epochs(trainer.max_epochs):
            save(self.folder / KEY / f"epoch_{epoch:04d}.png", picture)
            log_pictures(trainer.loggers, KEY, picture[None], [f"epoch {epoch}"], step=trainer.global_step)

    @torch.no_grad()
    def _made(self, pl_module: Any) -> Tensor:
        index = torch.arange(SIDE * SIDE, device=pl_module.device)
        labels = index // SIDE % self.classes
        return pl_module.net.generator(noise_of(index, pl_module.net.latent), labels)


def pictures_of(data: Any, folder: Path) -> list[Callback]:
    """The callbacks that picture training images of an `ImageData` and, of a generator, what it makes."""
    captions = partial(data.task.captions, classes=data.classes)
    shown = AugmentedPictures(preprocess=data.preprocess, captions=captions, folder=folder)
    if said_by(data.task).generates:  # room: generators
        made = SamplePictures(preprocess=data.preprocess, classes=len(data.classes), folder=folder)
        return [shown, made, NearestPictures(data=data, folder=folder)]
    return [shown]


def kept_epochs(epochs: int) -> set[int]:
    """The epochs that keep a picture: the first, the last, and some between at equal ratios.

    >>> sorted(kept_epochs(100))
    [1, 2, 4, 5, 8, 12, 19, 28, 43, 66, 100]
    """
    return {round(epochs ** (k / (KEPT - 1))) for k in range(KEPT)}
