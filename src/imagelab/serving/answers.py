"""Say what a network predicts for a picture, as plain data."""

import math
import threading
from dataclasses import replace
from importlib.util import find_spec  # room: explaining
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from imagelab.config.schema import Node
from imagelab.data.decode import decode_bytes  # room: detection
from imagelab.evaluation.box_files import SCORE, boxes_to_draw  # room: detection
from imagelab.evaluation.judged import judge
from imagelab.explaining.heat_maps import blended, heat_maps  # room: explaining
from imagelab.pages.box_picture import with_boxes  # room: detection
from imagelab.pages.picture import Picture, encoded
from imagelab.predictor import Predictor, TakesPictures, batch_of, placed
from imagelab.task.contract import Placing

if TYPE_CHECKING:  # room: embedding
    from imagelab.serving.near import Near  # room: embedding

SIDE = 800  # pixels of a picture in a reply
BUDGET = 600_000  # bytes of it
NAME = "the picture"


class Answers:
    """Answer what a network says of a picture; one at a time.

    Args:
        predictor: Trained network.
        level: Coverage of sets of classes; None: without sets.
        max_pixels: Largest number of pixels of a picture.
        score: Least score of a box; None: that of `imagelab predict`.
        explain: Whether to make heat maps.
        near: Search for the nearest pictures, if there is one.
    """

    def __init__(
        self,
        predictor: TakesPictures,
        *,
        level: float | None,
        max_pixels: int,
        score: float | None,  # room: detection
        explain: bool,  # room: explaining
        near: "Near | None",  # room: embedding
    ) -> None:
        self.predictor = predictor
        self.level = level
        self.score = score  # room: detection
        self.explain = explain  # room: explaining
        self.near = near  # room: embedding
        reader = predictor.reader
        self.reader = replace(reader, max_pixels=min(max_pixels, reader.max_pixels))
        self.turn = threading.Lock()

    def about(self) -> Node:
        """What the page says of the network before a picture comes."""
        task = self.predictor.task
        return {"predicts": getattr(task, "predicts", ""), "names": task.names, "level": self.level}

    def answer(self, data: bytes, *, pictures: bool) -> Node:
        """What the network says of a picture.

        Args:
            data: Content of a picture file.
            pictures: Whether to give pictures, too: the heat map, the boxes, the nearest ones.

        Raises:
            Unreadable: It is no picture, or too large.
        """
        with self.turn:
            return self._answer(data, pictures=pictures)

    def _answer(self, data: bytes, *, pictures: bool) -> Node:
        pixels, size = self.reader.content(data, NAME, self.predictor.preprocess)
        found: Node = {"width": size[0], "height": size[1]}
        images = batch_of([pixels])
        if isinstance(self.predictor.task, Placing):  # room: detection
            return found | self._boxes(data, images, size, pictures=pictures)  # room: detection
        found |= self._numbers(images)
        if self.near and isinstance(self.predictor, Predictor):  # room: embedding
            features = self.predictor.with_features(images)[1]  # room: embedding
            found["neighbours"] = self.near.of(features, pictures=pictures)  # room: embedding
        if self.explain and pictures:  # room: explaining
            found["heat_map"] = self._heat_map(pixels, images)  # room: explaining
        return found

    def _numbers(self, images: Tensor) -> Node:
        """Predictions by name, in words, and with a set of classes if there is one."""
        task = self.predictor.task
        sure = {}
        if self.level is not None and isinstance(self.predictor, Predictor):
            judged = judge(self.predictor, images, self.level)
            rows = judged.predictions
            sure = {"set": judged.sets[0], "level": self.level, "unlike": _number(judged.unlike[0])}
            sure |= {"far": _number(judged.far[0])} if judged.far else {}
        else:
            rows = self.predictor.predictions(images)
        values = zip(task.names, rows[0].tolist(), strict=True)
        summary = dict(zip(task.columns, task.summary(torch.from_numpy(rows[0])), strict=True))
        return {"summary": summary, "predictions": {name: _number(value) for name, value in values}} | sure

    # room: detection
    def _boxes(self, data: bytes, images: Tensor, size: tuple[int, int], *, pictures: bool) -> Node:
        """The boxes found, in pixels of the picture, and the picture with them drawn if asked."""
        task, preprocess = self.predictor.task, self.predictor.preprocess
        rows = self.predictor.predictions(images)
        one = placed(task, rows, [size], self.reader, preprocess)[0].above(
            SCORE if self.score is None else self.score
        )
        sides = [
            dict(zip(("left", "top", "right", "bottom"), row, strict=True))
            for row in one.corners.round(2).tolist()
        ]
        boxes = [
            {"label": name, "score": _number(score)} | box
            for name, score, box in zip(one.names, one.scores.tolist(), sides, strict=True)
        ]
        if not pictures:
            return {"boxes": boxes}
        whole = decode_bytes(data, NAME, None, self.reader.max_pixels)[0]
        drawn = with_boxes(whole, boxes_to_draw(one), side=min(SIDE, max(size)))
        return {"boxes": boxes, "drawn": _uri(drawn)}

    # end
    # room: explaining
    def _heat_map(self, pixels: np.ndarray, images: Tensor) -> str:
        """The picture as the network sees it, under its heat map."""
        assert isinstance(self.predictor, Predictor)
        return _uri(blended(pixels, heat_maps(self.predictor, images)[0]))

    # end


# room: explaining
def why_no_heat_map(predictor: Any) -> str:
    """Why a network has no heat maps; empty if it has."""
    if not isinstance(predictor, Predictor):
        return "they need the network itself; set run to the folder of a run"
    if isinstance(predictor.task, Placing):
        return "they are for networks that predict one answer per picture, and this one finds boxes"
    if find_spec("captum") is None:
        return "captum is not installed: uv pip install 'imagelab[explain]'"
    return ""


# end
def _number(value: float) -> float | None:
    """A number that JSON knows; None for NaN and infinity."""
    return round(value, 6) if math.isfinite(value) else None


def _uri(pixels: np.ndarray) -> str:
    return encoded([Picture(pixels, "")], SIDE, BUDGET)[0]
