import csv

import numpy as np
import pytest
from PIL import Image

from imagelab.inspection.files import files
from imagelab.inspection.measures import measure
from imagelab.inspection.outliers import outliers
from imagelab.inspection.scan import scan
from tests.inspection.bad_files import encoded, scene
from tests.inspection.looked_at import collection, config_of


def grey(value: int, count: int = 1) -> np.ndarray:
    return np.full((count, 20, 20, 3), value, dtype=np.uint8)


def test_measures_of_known_images():
    half = grey(0)
    half[:, :, 10:] = 255
    found = measure(np.concatenate([grey(51), half]))
    assert found["brightness"].tolist() == pytest.approx([0.2, 0.5], abs=1e-3)
    assert found["contrast"].tolist() == pytest.approx([0, 0.5], abs=1e-3)
    assert found["entropy"].tolist() == pytest.approx([0, 1])
    assert found["sharpness"][0] == pytest.approx(0, abs=1e-3)
    assert found["darkest"].tolist() == pytest.approx([0.2, 0], abs=0.005)
    assert found["brightest"].tolist() == pytest.approx([0.2, 1], abs=0.005)


def test_chroma_separates_grey_from_colour_and_blur_lowers_sharpness():
    image = np.asarray(scene(0))[None]
    blurred = np.asarray(scene(0).resize((8, 6)).resize((64, 48)))[None]
    assert measure(image)["chroma"][0] > 0.04
    assert measure(image[..., :1].repeat(3, 3))["chroma"][0] == 0
    assert measure(blurred)["sharpness"][0] < 0.5 * measure(image)["sharpness"][0]


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """60 pictures of one size; five are far from the others."""
    root = tmp_path_factory.mktemp("outliers")
    written = {f"train/{'ab'[k % 2]}/{k}.jpg": encoded(scene(k, 100, 80), quality=95) for k in range(60)}
    written["train/a/wide.jpg"] = encoded(scene(70, 400, 40))
    written["train/a/small.jpg"] = encoded(scene(71, 10, 8))
    written["train/a/night.jpg"] = encoded(Image.fromarray(np.asarray(scene(72, 100, 80)) // 40))
    written["train/a/paper.jpg"] = encoded(Image.new("RGB", (100, 80), (250, 250, 250)))
    seen = scan(collection(root, written), root)
    return seen, outliers(seen, config_of(root), root), root


def test_images_far_from_all_others_are_named_and_no_others(looked_at):
    value = looked_at[1].findings[0].value
    named = {name.rpartition("/")[2] for names in value.values() for name in names}
    assert named == {"wide.jpg", "small.jpg", "night.jpg", "paper.jpg"}
    assert value["aspect"] == ["train/a/wide.jpg"]
    assert "train/a/small.jpg" in value["size"]


def test_every_image_has_a_row_with_its_measures(looked_at):
    with (looked_at[2] / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 64
    by_name = {row["file"]: row for row in rows}
    assert float(by_name["train/a/paper.jpg"]["brightness"]) == pytest.approx(250 / 255, abs=1e-3)
    assert "entropy" in by_name["train/a/paper.jpg"]["outlier"].split()
    assert (by_name["train/a/wide.jpg"]["width"], by_name["train/a/wide.jpg"]["height"]) == ("400", "40")


def test_similar_images_have_no_outliers(tmp_path):
    written = {f"train/{'ab'[k % 2]}/{k}.jpg": encoded(scene(k, 100, 80)) for k in range(60)}
    seen = scan(collection(tmp_path, written), tmp_path)
    assert outliers(seen, config_of(tmp_path), tmp_path).findings[0].value == "none"


@pytest.mark.data
def test_known_oddities_of_hymenoptera_are_found(hymenoptera, tmp_path):
    seen = scan(collection(hymenoptera, {}), tmp_path)
    names = seen.images.names.tolist()
    assert [(split, len(images)) for split, images in seen.images.parts.items()] == [
        ("train", 245),
        ("val", 153),
    ]
    told = {finding.name: finding for finding in files(seen, config_of(hymenoptera), tmp_path).findings}
    assert told["formats and sizes"].value["formats"] == {"JPEG": 397, "GIF": 1}
    missing = names.index("train/ants/imageNotFound.gif")
    assert "a GIF among JPEG files" in told["files unlike the others"].value[names[missing]]
    assert seen.measures["entropy"].argmin() == seen.measures["brightness"].argmax() == missing
    far = outliers(seen, config_of(hymenoptera), tmp_path).findings[0].value
    assert names[missing] in far["entropy"]
    assert len({name for some in far.values() for name in some}) <= 10
    assert told["files unlike the others"].value.keys() >= {names[missing]}
    assert min(seen.sizes[:, 0]) == seen.sizes[names.index("train/ants/formica.jpeg"), 0] == 193


def test_grey_is_as_the_eye_sees_it_and_a_percentile_holds_its_share_exactly():
    colours = np.zeros((3, 10, 10, 3), dtype=np.uint8)
    for channel in range(3):
        colours[channel, ..., channel] = 255
    assert measure(colours)["brightness"].tolist() == pytest.approx([0.299, 0.587, 0.114], abs=1e-3)
    one_in_a_hundred = np.full((1, 10, 10, 3), 255, dtype=np.uint8)
    one_in_a_hundred[0, 0, 0] = 0
    assert measure(one_in_a_hundred)["darkest"].tolist() == [0]
