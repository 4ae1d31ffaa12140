# room: generators
"""Picture generated images beside the training images nearest to them: copies would stand out."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback
from torch import Tensor

from imagelab.augment.noise import noise_of
from imagelab.data.image_data import ImageData
from imagelab.logger.pictures import grid, legible, log_pictures, save
from imagelab.randomness import stream

PAIRS = 32  # generated images, in a grid of 8 x 8 with the training image on the right of each
MOST = 5000  # training images that are compared
READ = 500  # of them at a time
KEY = "images/nearest"


class NearestPictures(Callback):
    """Saves `<folder>/images/nearest.png` once training ends, and logs it.

    Args:
        data: Images of the run.
        folder: Folder of the run.
    """

    def __init__(self, *, data: ImageData, folder: Path) -> None:
        self.data, self.folder = data, folder

    @torch.no_grad()
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        index = torch.arange(PAIRS, device=pl_module.device)
        labels = index % len(self.data.classes)
        pair = pl_module.net.eval()
        made = pair.generator(noise_of(index, pair.latent), labels).float().cpu()
        both = torch.stack([made, self._nearest(made)], dim=1).flatten(0, 1)
        picture = grid(legible(self.data.preprocess.denormalise(both)))
        save(self.folder / f"{KEY}.png", picture)
        log_pictures(trainer.loggers, KEY, picture[None], ["generated, nearest"], step=trainer.global_step)

    def _nearest(self, made: Tensor) -> Tensor:
        """For each image (N, C, H, W) the training image with the least mean square difference."""
        count = len(self.data.splits["train"])
        places = stream(self.data.seed, "nearest").permutation(count)[:MOST]
        best = torch.full((len(made),), torch.inf)
        found = torch.zeros_like(made)
        for part in np.split(places, range(READ, len(places), READ)):
            images = self._read(part)
            apart, which = torch.cdist(made.flatten(1), images.flatten(1)).min(dim=1)
            nearer = apart < best
            found[nearer], best[nearer] = images[which[nearer]], apart[nearer]
        return found

    def _read(self, index: np.ndarray) -> Tensor:
        batch = self.data.prepare_batch(self.data.plain("train", index), train=False, rank=0)
        return batch.images.float().cpu()
