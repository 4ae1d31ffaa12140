"""Predict with test-time augmentation: the mean of the predictions over views of each picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imagelab.data.decode import Unreadable, decode
from imagelab.data.parallel import map_in_threads
from imagelab.evaluation.networks import Networks
from imagelab.evaluation.one_pass import form_of, mean
from imagelab.evaluation.tta import Tta
from imagelab.evaluation.views import tensors
from imagelab.predictor import Predictor, Reading


class ViewPredictor:
    """A predictor that looks at each picture several times.

    Args:
        predictor: What it asks.
        tta: Which views it looks at.
        room: Views of pictures at a time, about.

    Raises:
        Problem: The views do not fit the network.
    """

    def __init__(self, predictor: Predictor, tta: Tta, *, room: int) -> None:
        self.classes = predictor.classes
        self.task = predictor.task
        self.form = form_of(predictor, tta)
        self.device = next(predictor.net.parameters()).device
        self.networks = Networks([predictor.net], passes=1, predictions=self.task.predictions)
        self.room = room

    def files(self, paths: Sequence[str | Path]) -> list[Reading]:
        """The prediction for each picture file, in order; the error of those that cannot be read."""
        step = max(1, self.room // len(self.form.views))
        parts = (paths[first : first + step] for first in range(0, len(paths), step))
        return [reading for part in parts for reading in self._some(part)]

    def _some(self, paths: Sequence[str | Path]) -> list[Reading]:
        pictures = list(map_in_threads(self._read, paths))
        readable = [picture for picture in pictures if not isinstance(picture, Unreadable)]
        if not readable:
            return [picture for picture in pictures if isinstance(picture, Unreadable)]
        given = [part.to(self.device) for part in tensors(readable)]
        said = iter(mean(self.networks, self.form, given, room=self.room)[0].cpu().numpy())
        return [picture if isinstance(picture, Unreadable) else next(said) for picture in pictures]

    def _read(self, path: str | Path) -> list[np.ndarray] | Unreadable:
        try:
            return self.form.cut(decode(path, self.form.least, self.form.reader.max_pixels))
        except Unreadable as error:
            return error
