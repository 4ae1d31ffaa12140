# room: detection
"""Each augmentation is tried alone on painted boxes, so that none hides what another does wrong."""

from typing import Any

import pytest

from imagelab.augment.copy_paste import CopyPaste
from imagelab.augment.crop import Crop
from imagelab.augment.flip import Flip
from imagelab.augment.mosaic import Mosaic
from imagelab.augment.rotate import Rotate
from imagelab.augment.scale_jitter import ScaleJitter
from imagelab.augment.stretch import Stretch
from imagelab.augment.translate import Translate
from imagelab.checks.boxes import STRAYED
from imagelab.checks.painted import strays
from imagelab.checks.run import run
from tests.augment.test_boxes import FOLLOWING
from tests.zoo import subject

WORDS = ["task=detect", "trainer=cpu", "data.count=20", "model.width=32", "model.convs=1"]
BORDERED = ("translate", "scale_jitter", "rotate", "shear", "stretch")
BORDERS = [f"augment.{name}.border=zero" for name in BORDERED]


@pytest.fixture(scope="module")
def data() -> Any:
    return subject([*WORDS, f"augment=[{','.join(FOLLOWING)}]", *BORDERS]).data


@pytest.mark.parametrize("seed", range(3))
def test_no_augmentation_leaves_boxes_behind(data, seed, monkeypatch):
    monkeypatch.setattr(data, "seed", seed)
    found = strays(data)
    assert len(found) == len(FOLLOWING)
    assert max(found.values()) <= STRAYED / 2, found


def unmoved(kind: type) -> tuple[type, str, Any]:
    return kind, "move", lambda self, corners, *_: corners


def ahead(self: Any, images: Any, labels: Any, keys: Any) -> Any:
    """A crop whose boxes go where those of the next image should."""
    changed, moved = CROP(self, images, labels, keys)
    return changed, moved.roll(1, 0)


def too_far(self: Any, corners: Any, keys: Any, height: int, width: int) -> Any:
    return corners + 2 * (SHIFT(self, corners, keys, height, width) - corners)


def behind(self: Any, images: Any, labels: Any, rng: Any) -> Any:
    return MIX[type(self)](self, images, labels, rng)[0], labels


CROP, SHIFT, MIX = Crop.cut_boxes, Translate.move, {kind: kind.mix_boxes for kind in (Mosaic, CopyPaste)}
BUGS = {
    "flip that leaves boxes behind": unmoved(Flip),
    "rotate that leaves boxes behind": unmoved(Rotate),
    "scale_jitter that leaves boxes behind": unmoved(ScaleJitter),
    "stretch that leaves boxes behind": unmoved(Stretch),
    "translate that moves boxes twice": (Translate, "move", too_far),
    "crop with the boxes of another image": (Crop, "cut_boxes", ahead),
    "mosaic with the boxes of one image": (Mosaic, "mix_boxes", behind),
    "copy_paste that hides boxes and adds none": (CopyPaste, "mix_boxes", behind),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_mistake_of_one_augmentation_is_found_among_all_others(data, bug, monkeypatch):
    kind, name, way = BUGS[bug]
    monkeypatch.setattr(kind, name, way)
    assert [one for one, share in strays(data).items() if share > STRAYED] == [kind.__name__]


def test_check_names_the_augmentation_although_a_crop_hides_it_in_the_images(monkeypatch):
    monkeypatch.setattr(*unmoved(Flip))
    (found,) = run(subject([*WORDS, "augment=[flip,crop]"]), fast=True, only=["boxes of augmented images"])
    assert found.status == "FAIL"
    assert "Flip: " in found.value
    assert "Crop" not in found.value
