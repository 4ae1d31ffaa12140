"""Use a trained network on pictures, in memory or in files; `imagelab.load(path)` returns a `Predictor`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imagelab.contracts import Predicting
from imagelab.data.decode import Unreadable
from imagelab.data.parallel import map_in_threads
from imagelab.data.preprocess import Preprocess
from imagelab.data.reader import Reader

Reading = np.ndarray | Unreadable  # (K,) float32, a prediction, or why a file could not be read


class TakesPictures:
    """Brings pictures of any size, in memory or in files, to what predicts.

    classes: The names of the classes. preprocess: What happens to an image before the network.
    reader: How a picture becomes an image such as the network was trained on. task: What the K numbers of a
    prediction are, such as probabilities of the classes.
    """

    classes: list[str]
    task: Predicting
    preprocess: Preprocess
    reader: Reader

    def predictions(self, images: Tensor) -> np.ndarray:
        """(B, 3, H, W) uint8, as the reader makes them -> (B, K) float32."""
        raise NotImplementedError

    def images(self, images: Iterable[Any]) -> np.ndarray:
        """The predictions (B, K) for pictures in memory.

        Args:
            images: Arrays (H, W) or (H, W, 3) uint8, of any sizes, or Pillow's RGB or grey images.
        """
        return self._predictions([self.reader.image(_rgb(image), self.preprocess) for image in images])

    def files(self, paths: Sequence[str | Path]) -> list[Reading]:
        """The prediction for each picture file, in order; the error of those that cannot be read."""
        pictures = list(map_in_threads(self._read, paths))
        readable = [picture for picture in pictures if not isinstance(picture, Unreadable)]
        found = iter(self._predictions(readable))
        return [picture if isinstance(picture, Unreadable) else next(found) for picture in pictures]

    def _read(self, path: str | Path) -> np.ndarray | Unreadable:
        try:
            return self.reader.file(path, self.preprocess)
        except Unreadable as error:
            return error

    def _predictions(self, pictures: list[np.ndarray]) -> np.ndarray:
        if not pictures:
            return np.empty((0, len(self.task.names)), np.float32)
        return self.predictions(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2))


class Predictor(TakesPictures, nn.Module):
    """Images (B, C, H, W) uint8 -> predictions (B, K), such as probabilities of the classes.

    Args:
        net: The trained network.
        classes: The names of the K classes.
        preprocess: What happens to an image before the network.
        reader: How a picture becomes an image such as the network was trained on.
        task: What makes predictions of the network's outputs.
    """

    def __init__(
        self, *, net: nn.Module, classes: list[str], preprocess: Preprocess, reader: Reader, task: Predicting
    ) -> None:
        super().__init__()
        self.net = net.eval()
        self.classes = classes
        self.task = task
        self.preprocess, self.reader = preprocess, reader

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) uint8, C 1 or 3, of any size -> predictions (B, K) on the network's device."""
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(
                f"images must be (B, C, H, W) uint8, got {tuple(images.shape)} {images.dtype}; "
                "predictor.images([...]) takes arrays (H, W, 3), predictor.files([...]) paths"
            )
        device = next(self.net.parameters()).device
        return self.task.predictions(self.net(self.preprocess(images.to(device))))

    def predictions(self, images: Tensor) -> np.ndarray:
        return self(images).cpu().numpy()


def _rgb(image: Any) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"an image must be (H, W) or (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    return pixels
