# room: serving, detection
"""Boxes on the page are in pixels of the picture that was sent, also drawn."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from imagelab.serving.answers import Answers
from tests.evaluation.planted_boxes import finder, painted
from tests.served import content, serving

KEYS = {"level": None, "max_pixels": 10_000_000, "explain": False, "near": None}
RED, GREEN = (10, 20, 60, 90), (100, 30, 180, 80)  # left, top, right, bottom


def test_boxes_are_in_pixels_of_the_picture_and_drawn_where_they_are() -> None:
    picture = content(painted(200, 100, {"red": RED, "green": GREEN}))
    with serving(Answers(finder(), **KEYS, score=0.5)) as client:
        found = client.predict(picture)
        shown = client.predict(picture, asked="?pictures=true")
        nothing = client.predict(content(painted(200, 100, {})))
    assert (found["width"], found["height"]) == (200, 100)
    sides = ("left", "top", "right", "bottom")
    places = {one["label"]: [one[side] for side in sides] for one in found["boxes"]}
    assert places["red"] == pytest.approx(RED, abs=2)
    assert places["green"] == pytest.approx(GREEN, abs=2)
    assert {one["label"]: one["score"] for one in found["boxes"]} == pytest.approx({"red": 0.9, "green": 0.6})
    assert "drawn" not in found
    assert nothing["boxes"] == []

    uri = shown["drawn"].partition(",")[2]
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri))).convert("RGB")).astype(int)
    changed = np.abs(drawn - painted(200, 100, {"red": RED, "green": GREEN})).max(axis=2) > 60
    assert drawn.shape == (100, 200, 3)
    assert changed[:, 98:103].any()  # the frame of the green block
    assert changed[:, 177:183].any()
    assert not changed[92:].any()


def test_boxes_below_the_score_are_left_out() -> None:
    picture = content(painted(200, 100, {"red": RED, "green": GREEN}))
    answers = Answers(finder(), **KEYS, score=0.7)
    assert [one["label"] for one in answers.answer(picture, pictures=False)["boxes"]] == ["red"]
