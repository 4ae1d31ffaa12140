"""Use a trained network on images, in memory or in files; `imagelab.load(path)` returns a `Predictor`."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imagelab.data.beside import encoded, signals_of
from imagelab.data.decode import Unreadable
from imagelab.data.parallel import map_in_threads
from imagelab.data.preprocess import Preprocess
from imagelab.data.reader import Reader, Size
from imagelab.data.signals import Row
from imagelab.metrics.certainty import Certainty
from imagelab.metrics.nearness import Nearness
from imagelab.model.capture import with_features
from imagelab.problem import Problem
from imagelab.task.contract import Placing, Predicting

AT_ONCE = 64  # pictures whose features are computed together
Reading = (
    Any  # a prediction, (K,) float32, or the objects found, or `Unreadable`: why a file could not be read
)


class TakesPictures:
    """Base class that prepares images of any size, in memory or in files, for prediction.

    classes: Names of the classes. preprocess: Preprocessing before the network. reader: Converts an image of
    any size to the form that the network was trained on. task: Defines what the K values of a prediction are.
    """

    classes: list[str]
    task: Predicting
    preprocess: Preprocess
    reader: Reader
    ahead: dict[str | Path, Any] | None = None  # files that are read already, until they are asked for
    beside: Mapping[str | Path, Row] | None = None  # what else is known of files, for `data.signals`

    def predictions(self, images: Tensor, signals: Tensor | None = None) -> np.ndarray:
        """(B, 3, H, W) uint8, as the reader returns them -> (B, K) float32, or rows (B, 100, 6) for boxes.

        signals: (B, S) float32, as `encoded` returns them, if the network sees some.
        """
        raise NotImplementedError

    def images(self, images: Iterable[Any], beside: Sequence[Row] | None = None) -> Any:
        """Predictions for images in memory: (B, K), or `box_labels.Detections` of each if it finds boxes.

        Args:
            images: Arrays (H, W) or (H, W, 3) uint8 of any size, or RGB or grey images of Pillow.
            beside: What else is known of each image, by the names in `data.signals`.

        Raises:
            ValueError: If one is something else, such as a path.
        """
        given = [_rgb(image) for image in images]
        sizes = [(one.shape[1], one.shape[0]) for one in given]
        pictures = [self.reader.image(one, self.preprocess) for one in given]
        return self._found(pictures, sizes, self.encoded(beside))

    def files(self, paths: Sequence[str | Path]) -> list[Reading]:
        """The prediction for each image file, in order, or the error if it cannot be read."""
        given = list(map_in_threads(self._read, paths))
        readable = [one for one in given if not isinstance(one, Unreadable)]
        signals = self.signals_of(paths, given)
        found = iter(self._found([pixels for pixels, _ in readable], [size for _, size in readable], signals))
        return [one if isinstance(one, Unreadable) else next(found) for one in given]

    def read(self, paths: Sequence[str | Path]) -> list[np.ndarray | Unreadable]:
        """The pixels of each image file as the network takes them, (H, W, 3) uint8, or its error."""
        given = map_in_threads(self._read, paths)
        return [one if isinstance(one, Unreadable) else one[0] for one in given]

    def read_ahead(self, paths: Sequence[str | Path]) -> list[np.ndarray | Unreadable]:
        """What `read` returns; each of these files is not decoded again when it is read the next time."""
        given = list(map_in_threads(self._read, paths))
        self.ahead = dict(zip(paths, given, strict=True))
        return [one if isinstance(one, Unreadable) else one[0] for one in given]

    def prepared(self, image: Any) -> np.ndarray:
        """An image in memory, as `images` takes it, as the network takes it: (H, W, 3) uint8."""
        return self.reader.image(_rgb(image), self.preprocess)

    def encoded(self, beside: Sequence[Row] | None) -> Tensor | None:
        """What is known of images besides their pixels as the network sees it, (B, S) float32."""
        return encoded(self.preprocess, beside)

    def signals_of(self, paths: Sequence[str | Path], read: Sequence[Any]) -> Tensor | None:
        """The signals of the files that could be read, (B, S) float32; None if nothing is known of them."""
        return signals_of(self.preprocess, self.beside, paths, read)

    def _read(self, path: str | Path) -> tuple[np.ndarray, Size] | Unreadable:
        if self.ahead and path in self.ahead:
            return self.ahead.pop(path)
        try:
            return self.reader.sized(path, self.preprocess)
        except Unreadable as error:
            return error

    def _found(self, pictures: list[np.ndarray], sizes: list[Size], signals: Tensor | None) -> Any:
        """The predictions for prepared pictures, given width and height of each before."""
        rows = np.empty((0, len(self.task.names)), np.float32)
        rows = self.predictions(batch_of(pictures), signals) if pictures else rows
        return placed(self.task, rows, sizes, self.reader, self.preprocess)


class Predictor(TakesPictures, nn.Module):
    """Images (B, C, H, W) uint8 -> predictions (B, K), such as probabilities of the classes.

    Args:
        net: Trained network.
        classes: Names of the classes.
        preprocess: Preprocessing before the network.
        reader: Converts an image of any size to the form that the network was trained on.
        task: Task that turns the network's outputs into predictions.
    """

    def __init__(
        self, *, net: nn.Module, classes: list[str], preprocess: Preprocess, reader: Reader, task: Predicting
    ) -> None:
        super().__init__()
        self.net = net.eval()
        self.classes = classes
        self.task = task
        self.preprocess, self.reader = preprocess, reader
        self.certainty: Certainty | None = None  # how sure it is, by the run's val split, if that is known
        self.nearness: Nearness | None = None  # how far an image lies from those of val, the same

    @torch.inference_mode()
    def forward(self, images: Tensor, signals: Tensor | None = None) -> Tensor:
        """(B, C, H, W) uint8 of any size, with C 1 or 3 -> predictions (B, K) on the network's device.

        A network that finds boxes returns (B, 100, 6): class or -1, left, top, right, bottom in pixels of
        these images, and score; the surest first.
        """
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(
                f"images must be (B, C, H, W) uint8, got {tuple(images.shape)} {images.dtype}; "
                "use predictor.images([...]) for arrays (H, W, 3), or predictor.files([...]) for paths"
            )
        predictions = self.task.predictions(self.outputs(images, signals))
        return in_pixels(self.task, predictions, self.preprocess.scale(*images.shape[-2:]))

    @torch.inference_mode()
    def outputs(self, images: Tensor, signals: Tensor | None = None) -> Tensor:
        """Outputs such as logits, (B, K) on the network's device, of images as `forward` takes them."""
        return self.net(self.preprocess(images.to(next(self.net.parameters()).device), signals))

    def predictions(self, images: Tensor, signals: Tensor | None = None) -> np.ndarray:
        return self(images, signals).cpu().numpy()

    def features(self, pictures: Iterable[Any]) -> np.ndarray:
        """Features (N, F) float32 of pictures: the input of the network's last layer, averaged over places.

        Args:
            pictures: Paths of image files, or images in memory as `images` takes them.

        Raises:
            Unreadable: A file cannot be read.
            Problem: The network finds boxes.
        """
        made = [self.file(one) if isinstance(one, str | Path) else self.prepared(one) for one in pictures]
        parts = [self.with_features(batch_of(made[k : k + AT_ONCE]))[1] for k in range(0, len(made), AT_ONCE)]
        return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    @torch.inference_mode()
    def with_features(self, images: Tensor, signals: Tensor | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Predictions (B, K) and features (B, F), float32, of images as the reader returns them.

        Raises:
            Problem: The network finds boxes.
        """
        outputs, features = self.outputs_and_features(images, signals)
        return self.task.predictions(outputs).cpu().numpy(), features.float().cpu().numpy()

    @torch.inference_mode()
    def outputs_and_features(self, images: Tensor, signals: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Outputs (B, K) as `outputs`, and features (B, F), in one pass, on the network's device.

        Raises:
            Problem: The network finds boxes.
        """
        if isinstance(self.task, Placing):
            raise Problem(
                "features: a network that finds boxes has no features of the whole picture; use another run"
            )
        device = next(self.net.parameters()).device
        return with_features(self.net, self.preprocess(images.to(device), signals))

    def file(self, path: str | Path) -> np.ndarray:
        """The pixels of an image file as the network takes them, (H, W, 3) uint8.

        Raises:
            Unreadable: It cannot be read.
        """
        return self.reader.file(path, self.preprocess)


def batch_of(pictures: Sequence[np.ndarray]) -> Tensor:
    """Pictures (H, W, 3) uint8 of one size -> a batch (B, 3, H, W) uint8."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def in_pixels(task: Predicting, predictions: Tensor, scale: float) -> Tensor:
    """Predictions; those with places in pixels of images that are larger than the input by `scale`."""
    return task.scaled(predictions, scale) if isinstance(task, Placing) else predictions


def placed(
    task: Predicting, rows: np.ndarray, sizes: list[Size], reader: Reader, preprocess: Preprocess
) -> Any:
    """Predictions (B, K), unchanged, or, for tasks with places, as users get them in pixels of the pictures.

    Args:
        task: Task that defines the predictions.
        rows: Predictions, in pixels of the images that the reader returned.
        sizes: Width and height of each picture in pixels.
        reader: Reader of the pictures.
        preprocess: Preprocessing of the network.
    """
    if not isinstance(task, Placing):
        return rows
    pairs = zip(torch.from_numpy(rows), sizes, strict=True)
    return [
        task.found(task.scaled(one, reader.scale(size, preprocess)).numpy(), *size) for one, size in pairs
    ]


def no_loss(*_: Tensor) -> Tensor:
    """Stand in for the loss of a loaded network, and refuse to compute it.

    Raises:
        Problem: Always.
    """
    raise Problem("a loaded network has no loss; evaluate the run that it comes from")


def _rgb(image: Any) -> np.ndarray:
    if isinstance(image, str | Path):
        raise ValueError(f"images() takes arrays or Pillow images, got {str(image)!r}; use files([...])")
    pixels = np.asarray(image)
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"an image must be (H, W) or (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    return pixels
