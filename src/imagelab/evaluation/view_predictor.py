"""Predict with test-time augmentation: average the predictions over views of each image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from imagelab.data.beside import signals_of
from imagelab.data.decode import Unreadable, decode_sized
from imagelab.data.parallel import map_in_threads
from imagelab.data.reader import Size
from imagelab.data.signals import Row
from imagelab.evaluation.networks import Networks
from imagelab.evaluation.one_pass import form_of, mean
from imagelab.evaluation.tta import Tta
from imagelab.evaluation.views import tensors
from imagelab.predictor import Predictor, Reading, in_pixels, placed


class ViewPredictor:
    """A predictor that averages over several views of each image.

    Args:
        predictor: Predictor to use.
        tta: Views of each image.
        room: Approximate number of views in one pass.

    Raises:
        Problem: If the views do not fit the network.
    """

    beside: Mapping[str | Path, Row] | None = None  # what else is known of files, for `data.signals`

    def __init__(self, predictor: Predictor, tta: Tta, *, room: int) -> None:
        self.classes = predictor.classes
        self.task = predictor.task
        self.form = form_of(predictor, tta)
        self.preprocess = self.form.preprocess
        self.device = next(predictor.net.parameters()).device
        self.networks = Networks([predictor.net], passes=1, predictions=self.task.predictions)
        self.room = room

    def files(self, paths: Sequence[str | Path]) -> list[Reading]:
        """The prediction for each image file, in order, or the error if it cannot be read."""
        step = max(1, self.room // len(self.form.views))
        parts = (paths[first : first + step] for first in range(0, len(paths), step))
        return [reading for part in parts for reading in self._some(part)]

    def _some(self, paths: Sequence[str | Path]) -> list[Reading]:
        pictures = list(map_in_threads(self._read, paths))
        readable = [picture for picture in pictures if not isinstance(picture, Unreadable)]
        if not readable:
            return [picture for picture in pictures if isinstance(picture, Unreadable)]
        given = [part.to(self.device) for part in tensors([views for views, _ in readable])]
        signals = signals_of(self.preprocess, self.beside, paths, pictures)
        how = {"room": self.room, "task": self.task, "signals": signals}
        said = mean(self.networks, self.form, given, **how)[0].cpu()
        factor = self.form.preprocess.scale(*(self.form.reader.shape or [self.form.preprocess.size] * 2))
        sizes = [size for _, size in readable]
        rows = in_pixels(self.task, said, factor).numpy()
        found = iter(placed(self.task, rows, sizes, self.form.reader, self.form.preprocess))
        return [picture if isinstance(picture, Unreadable) else next(found) for picture in pictures]

    def _read(self, path: str | Path) -> tuple[list[np.ndarray], Size] | Unreadable:
        try:
            photo, size = decode_sized(path, self.form.least, self.form.reader.max_pixels)
            return self.form.cut(photo), size
        except Unreadable as error:
            return error
