"""`imagelab pack` writes shards that train as the data set does that they were made of."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.in_process import imagelab, trained

SHORT = ["trainer=cpu", "trainer.max_epochs=2", "data.batch_size=16", "data.size=24", "data.workers=0"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, grey in (("dark", 60), ("light", 190)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(40):
            pixels = (grey + rng.integers(-50, 50, (30, 30 + k % 5, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{k:02}.{'jpg' if k % 2 else 'png'}")
    return tmp_path / "photos"


def curve(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))


def test_a_packed_data_set_trains_to_the_same_numbers(photos, tmp_path):
    said = imagelab(
        "pack", "data=folder", f"data.root={photos}", "output=packed", "shard_size=0.05", folder=tmp_path
    )
    assert said.status == 0, said
    assert "train: 80 images in " in said.out
    assert said.out.splitlines()[-1] == "train   imagelab train data=arrow data.root=packed"
    assert not (tmp_path / "logs" / "pack").exists()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = trained(*SHORT, "data=folder", f"data.root={photos}", folder=tmp_path / "first")
    second = trained(*SHORT, "data=arrow", f"data.root={tmp_path}/packed", folder=tmp_path / "second")
    assert curve(first) == curve(second)
    assert len(curve(first)) > 2


def test_images_in_memory_are_packed_without_loss(tmp_path):
    from imagelab.data.arrow import Arrow
    from imagelab.data.digits import Digits

    assert imagelab("pack", "output=packed", folder=tmp_path).status == 0
    knobs = {"subset": None, "image": "image", "label": "label", "on_bad_image": "error"}
    images = Arrow(root=str(tmp_path / "packed"), **knobs, labelled=True, max_pixels=100).splits["train"]
    digits = Digits().splits["train"]
    assert images.labels.tolist() == digits.labels.tolist()
    for place in (0, 700, len(images) - 1):
        assert (images.photo(place, None)[:, :, 0] == digits.images[place, 0].numpy()).all()  # type: ignore[attr-defined]


def test_what_cannot_be_packed_is_refused(photos, tmp_path):
    def refused(*words: str) -> str:
        said = imagelab("pack", "data=folder", f"data.root={photos}", *words, folder=tmp_path)
        assert said.status == 2, said
        return said.err

    assert "data.limit: pack writes the whole data set" in refused("data.limit=10")
    assert "data.group: packed images have no groups" in refused("data.group='(p)'")
    assert "shard_size: wants a number of MB above 0" in refused("shard_size=0")
    assert f"output={photos}: the folder is not empty" in refused(f"output={photos}")


def test_boxes_are_not_packed(tmp_path):  # room: detection
    said = imagelab("pack", "data=scenes", "data.count=20", "task=detect", "model=fcos", folder=tmp_path)
    assert (said.status, said.err.split(":")[0]) == (2, "imagelab pack")
    assert "boxes cannot be packed" in said.err
