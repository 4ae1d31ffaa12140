"""What inspect says of values, and that it finds what is wrong with them."""

import json

import numpy as np
import pytest
from PIL import Image

from imagelab.inspection.scan import scan
from imagelab.inspection.signal import labels_follow
from imagelab.inspection.values import value_distribution
from tests import in_process
from tests.inspection.looked_at import collection, config_of

REGRESS = {"task": {"_target_": "imagelab.task.regress.Regress"}}


def seen_of(root, values, split=None):
    """Grey images as bright as their values in [0, 1], with those values in a table."""
    rng = np.random.default_rng(0)
    lines = ["file,light,split"]
    for place, value in enumerate(values):
        pixels = np.clip(rng.normal(255 * min(max(value, 0), 1), 20, (16, 16)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"{place:03}.png")
        lines.append(f"{place:03}.png,{value},{split[place] if split else 'train'}")
    (root / "labels.csv").write_text("\n".join(lines))
    return scan(collection(root, {}, **REGRESS, label="light"), root)


def findings(seen, root):
    answer = value_distribution(seen, config_of(root, **REGRESS), root)
    assert "<svg" in answer.sections[0].body
    return {finding.name: finding for finding in answer.findings}


def test_range_and_mean_of_each_split_are_those_of_its_values(tmp_path):
    values = np.linspace(0, 1, 30)
    split = ["train", "val", "test"] * 10
    found = findings(seen_of(tmp_path, values, split), tmp_path)
    val = found["values of light"].value["val"]
    assert val["least"] == pytest.approx(values[1::3].min(), rel=1e-5)
    assert val["mean"] == pytest.approx(values[1::3].mean(), rel=1e-5)
    assert found["light far from all others"].status == "OK"


def test_a_slipped_decimal_point_and_a_split_of_another_range_are_named(tmp_path):
    values = [*np.linspace(0.2, 0.6, 30), 40, 0.9, 0.95]
    split = ["train"] * 30 + ["train", "val", "val"]
    found = findings(seen_of(tmp_path, values, split), tmp_path)
    assert found["light far from all others"].status == "WARN"
    assert found["light far from all others"].value == "030.png (40)"
    table = (tmp_path / "labels.csv").read_text()
    (tmp_path / "labels.csv").write_text(table.replace("030.png,40,train\n", ""))
    seen = scan(collection(tmp_path, {}, **REGRESS, label="light"), tmp_path)
    assert findings(seen, tmp_path)["light in the range of train"].value == {"val": "100.0%"}


@pytest.mark.parametrize("shuffled", [False, True])
def test_values_that_do_not_follow_the_images_are_found(tmp_path, shuffled):
    seen = seen_of(tmp_path, np.random.default_rng(1).random(120))
    if shuffled:
        np.random.default_rng(2).shuffle(seen.images.labels)
    (finding,) = labels_follow(seen, config_of(tmp_path), tmp_path).findings
    assert (finding.value > 10) is not shuffled


def test_the_command_inspects_values_of_images_in_memory_and_in_files(tmp_path):
    seen_of(tmp_path, np.random.default_rng(1).random(40))
    words = ["task=regress", "loss=mse", "data=folder", f"data.root={tmp_path}", "data.label=light"]
    said = in_process.imagelab("inspect", *words, "hydra.run.dir=out", folder=tmp_path)
    assert said.status == 0, said
    assert "40 images of 1 values" in (tmp_path / "out" / "inspection.html").read_text()
    names = [finding["name"] for finding in json.loads((tmp_path / "out" / "inspection.json").read_text())]
    assert "values of light" in names
    words = ["task=regress", "loss=mse", "data=digits_facts", "data.limit=50", "data.batch_size=16"]
    said = in_process.imagelab("inspect", *words, "augment=[flip]", "hydra.run.dir=digits", folder=tmp_path)
    assert said.status == 0, said
    page = (tmp_path / "digits" / "inspection.html").read_text()
    assert "What enters the network" in page
    assert "slant" in page
