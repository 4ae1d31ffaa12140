"""Pictures that cannot be read are listed once, with advice that has not been followed yet."""

import numpy as np
import pytest
from PIL import Image

from tests.in_process import imagelab

BROKEN = ("photos/cat/broken.jpg", "photos/dog/text.png")
SKIP, ADVICE = "data.on_bad_image=skip", "leave them out with data.on_bad_image=skip"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 photos in two classes, and two files that are none."""
    place, rng = tmp_path_factory.mktemp("unreadable"), np.random.default_rng(0)
    for name in ("cat", "dog"):
        (place / "photos" / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "photos" / name / f"{number}.png")
    for name in BROKEN:
        (place / name).write_text("no picture")
    return place


@pytest.mark.parametrize(
    ("command", "words", "status", "advised"),
    [
        ("train", [], 2, 1),
        ("train", [SKIP, "debug=quick", "trainer=cpu", "data.batch_size=8"], 0, 0),
        ("inspect", [], 0, 1),  # room: inspection
        ("inspect", [SKIP], 0, 0),  # room: inspection
    ],
)
def test_the_list_appears_once(folder, command, words, status, advised):
    said = imagelab(command, "data=folder", "data.root=photos", *words, folder=folder)
    text = " ".join((said.out + said.err).split())
    assert said.status == status, text
    for name in BROKEN:
        assert text.count(name.removeprefix("photos/")) == 1
    assert text.count(ADVICE) == advised
