# room: detection
"""Boxes in files: where they are, and how they are written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from imagelab.box_labels import CORNERS
from imagelab.data.box_table import read_box_table
from imagelab.data.boxes import Boxes
from imagelab.data.files import Files
from imagelab.evaluation.average import merged_neighbours
from imagelab.evaluation.box_files import write
from imagelab.evaluation.tta import Flip, MultiScale, TenCrop
from imagelab.evaluation.view_predictor import ViewPredictor
from imagelab.metrics.box_fusion import fused
from imagelab.problem import Problem
from imagelab.runs.csv_cells import read_rows
from tests.evaluation.planted_boxes import SURE, finder, painted
from tests.evaluation.subjects import member, preprocess, small_net

SIZES = [(64, 64), (131, 77), (77, 131), (127, 33), (33, 20), (9, 128), (101, 100)]
ASKED: dict[str, Any] = {
    "batch_size": 2,
    "score": None,
    "draw": False,
    "set": None,
    "explain": False,
    "tta": None,
}


def blocks(width: int, height: int) -> dict[str, tuple[int, int, int, int]]:
    """A red block near the top left corner, and a green one that ends at the bottom right corner."""
    return {
        "red": (width // 9, height // 8, width // 3 + 1, height // 2),
        "green": (width // 2, height * 2 // 3, width, height),
    }


def written(folder: Path, name: str, **asked: Any) -> tuple[Path, list[tuple[Path, str]]]:
    """What is written of three pictures, with two blocks, with one and with none, and a broken one."""
    new = folder / "new"
    (new / "deeper").mkdir(parents=True, exist_ok=True)
    pictures = {
        "both.png": painted(100, 60, {"red": (10, 12, 40, 30), "green": (50, 30, 100, 60)}),
        "deeper/one.png": painted(64, 64, {"green": (8, 8, 24, 40)}),
        "none.png": painted(50, 80, {}),
    }
    for file, pixels in pictures.items():
        Image.fromarray(pixels).save(new / file)
    (new / "broken.jpg").write_bytes(b"")
    output = folder / name
    return output, write(ASKED | asked, output, finder(), sorted(new.rglob("*.*")))


@pytest.mark.parametrize(
    ("shape", "twice"),
    [(None, False), ([64, 64], False), ([48, 80], True)],
    ids=["files", "square arrays", "flat arrays"],
)
def test_painted_boxes_are_found_within_a_pixel_in_pictures_of_odd_sizes(tmp_path, shape, twice):
    paths = []
    for width, height in SIZES:
        paths.append(tmp_path / f"{width}x{height}.png")
        cv2.imwrite(str(paths[-1]), painted(width, height, blocks(width, height))[:, :, ::-1])
    network = finder(64, shape)
    in_memory = network.images([Image.open(path) for path in paths])
    for (width, height), found, again in zip(SIZES, network.files(paths), in_memory, strict=True):
        assert found.names == ["red", "green"]
        assert found.size == (width, height)
        allowed = (
            1.0 if not twice else max(1.7, 1.7 * max(width, height) / 64)
        )  # a pixel between both resizings
        assert np.abs(found.corners - [*blocks(width, height).values()]).max() <= allowed
        assert np.array_equal(found.corners, again.corners)
        assert found.scores.tolist() == pytest.approx(SURE)


def test_a_large_jpeg_that_is_decoded_smaller_gives_boxes_of_its_whole_size(tmp_path):
    pixels = painted(1200, 801, {"green": (300, 200, 900, 700)})
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    (found,) = finder().files([tmp_path / "a.jpg"])
    assert found.size == (1200, 801)
    assert np.abs(found.corners - [300, 200, 900, 700]).max() < 1200 / 64 / 2  # half a pixel of the input


def test_a_batch_of_pixels_gives_rows_in_pixels_of_these_images():
    pixels = torch.from_numpy(painted(128, 90, {"red": (20, 30, 60, 80)})).permute(2, 0, 1)[None]
    rows = finder()(pixels)
    assert rows.shape == (1, 100, 6)
    assert torch.allclose(rows[0, 0], torch.tensor([0, 20, 30, 60, 80, SURE[0]]), atol=1)
    assert (rows[0, 1:, 0] == -1).all()


def test_a_box_in_the_grey_beside_a_picture_is_left_out_and_others_end_at_its_border():
    network = finder()
    rows = np.full((100, 6), -1.0, np.float32)
    rows[:3] = [[0, 5, 40, 30, 60, 0.9], [1, 10, 10, 30, 50, 0.8], [1, 0, 0, 9, 9, 0.1]]
    found = network.task.found(rows, 64, 32)  # type: ignore[attr-defined]
    assert found.names == ["green", "green"]
    assert found.corners.tolist() == [[10, 10, 30, 32], [0, 0, 9, 9]]
    assert found.above(0.5).corners.tolist() == [[10, 10, 30, 32]]


def test_the_table_has_a_line_per_box_and_one_for_each_other_file(tmp_path):
    output, unreadable = written(tmp_path, "found.csv")
    lines = [(Path(line["file"]).name, line["label"], line["error"]) for line in read_rows(output.open())]
    assert lines == [
        ("both.png", "red", ""),
        ("both.png", "green", ""),
        ("broken.jpg", "", "the file is empty"),
        ("one.png", "green", ""),
        ("none.png", "", ""),
    ]
    box = read_rows(output.open())[0]
    assert [float(box[side]) for side in ("left", "top", "right", "bottom")] == pytest.approx(
        [10, 12, 40, 30], abs=1
    )
    assert float(box["score"]) == pytest.approx(SURE[0])
    assert [(path.name, why) for path, why in unreadable] == [("broken.jpg", "the file is empty")]


def test_less_sure_boxes_than_asked_for_are_left_out(tmp_path):
    labels = [line["label"] for line in read_rows(written(tmp_path, "found.csv", score=0.7)[0].open())]
    assert labels == ["red", "", "", ""]


def test_the_table_is_a_data_set_of_its_own(tmp_path):
    output, _ = written(tmp_path, "new/boxes.csv")
    (tmp_path / "new" / "broken.jpg").unlink()
    lines = [line.replace(f"{tmp_path}/new/", "") for line in output.read_text().splitlines()]
    output.write_text("\n".join(line for line in lines if "broken" not in line))
    known = {
        Path(one.path).name: [box[0] for box in one.boxes]
        for one in read_box_table(tmp_path / "new").pictures
    }
    assert known == {"both.png": ["red", "green"], "one.png": ["green"], "none.png": []}


def test_the_json_is_cocos_and_lists_images_without_boxes(tmp_path):
    output, _ = written(tmp_path, "new/found.json")
    content = json.loads(output.read_text())
    assert [one["file_name"] for one in content["images"]] == ["both.png", "deeper/one.png", "none.png"]
    assert content["unreadable"] == [{"file_name": "broken.jpg", "error": "the file is empty"}]
    (red,) = [one for one in content["annotations"] if one["category_id"] == 1]
    assert red["bbox"] == pytest.approx([10, 12, 30, 18], abs=1)  # left, top, width, height
    assert red["area"] == pytest.approx(red["bbox"][2] * red["bbox"][3], abs=0.1)
    (tmp_path / "new" / "broken.jpg").unlink()
    images = Boxes(root=str(tmp_path / "new"), annotations="auto", on_bad_image="error", max_pixels=10**6)
    train = images.splits["train"]
    assert isinstance(train, Files)
    assert images.classes == ["red", "green"]
    rows = dict(zip([Path(path).name for path in train.paths], train.labels, strict=True))
    assert np.abs(rows["one.png"][0, CORNERS] - [8, 8, 24, 40]).max() <= 1
    assert (rows["none.png"][:, 0] == -1).all()


def test_images_keep_their_numbers_where_files_are_called_by_them_and_coco_takes_the_results(tmp_path):
    from faster_coco_eval import COCO, COCOeval_faster

    folder = tmp_path / "val2017"
    folder.mkdir()
    for number in (139, 285):
        Image.fromarray(painted(90, 64, {"green": (number // 10, 8, 60, 40)})).save(
            folder / f"{number:012}.png"
        )
    write(ASKED, tmp_path / "x.json", finder(), sorted(folder.iterdir()))
    content = json.loads((tmp_path / "x.json").read_text())
    assert [one["id"] for one in content["images"]] == [139, 285]
    boxes = [
        {"id": k, "image_id": k, "bbox": [k // 10, 8, 60 - k // 10, 32], "area": 999, "iscrowd": 0}
        for k in (139, 285)
    ]
    truth = COCO(content | {"annotations": [box | {"category_id": 2} for box in boxes]})
    judged = COCOeval_faster(truth, truth.loadRes(content["annotations"]), "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    assert judged.stats[1] == pytest.approx(1)  # AP at an IoU of 0.5


def test_pictures_are_drawn_with_their_boxes_at_the_edges_and_a_caption(tmp_path):
    written(tmp_path, "found.csv", draw=True)
    drawn = tmp_path / "found_drawn"
    assert sorted(str(file.relative_to(drawn)) for file in drawn.rglob("*.*")) == [
        "both.png",
        "deeper/one.png",
        "none.png",
    ]
    before = np.asarray(Image.open(tmp_path / "new" / "deeper" / "one.png")).astype(int)
    after = np.asarray(Image.open(drawn / "deeper" / "one.png")).astype(int)
    changed = np.abs(after - before).sum(axis=2) > 0
    assert changed[8:40, [8, 23]].all()
    assert changed[39, 8:24].all()
    assert not changed[25:38, 10:22].any()  # below the caption
    assert not changed[41:].any()
    assert (np.asarray(Image.open(drawn / "none.png")) == 0).all()


@pytest.mark.parametrize("tta", [Flip(), MultiScale(scales=[1.0, 1.5], mirror=True)], ids=["flip", "scales"])
@pytest.mark.parametrize("shape", [None, [64, 64]], ids=["files", "arrays"])
def test_views_find_painted_boxes_where_they_are(tmp_path, tta, shape):
    path = tmp_path / "a.png"
    Image.fromarray(painted(101, 77, blocks(101, 77))).save(path)
    network = finder(64, shape)
    (alone,), (views,) = network.files([path]), ViewPredictor(network, tta, room=4).files([path])
    assert views.names == alone.names == ["red", "green"]
    assert np.abs(views.corners - [*blocks(101, 77).values()]).max() <= 1
    assert views.scores.tolist() == pytest.approx(SURE)
    if isinstance(tta, Flip):
        assert np.abs(views.corners - alone.corners).max() < 1e-3


def test_crops_are_refused_as_views():
    with pytest.raises(Problem, match="tta: crops cut the objects whose boxes are found; set tta=flip"):
        ViewPredictor(finder(), TenCrop(scales=[1.5]), room=4)


def test_features_of_a_whole_picture_are_refused():
    with pytest.raises(Problem, match="that finds boxes has no features of the whole picture"):
        finder().features([painted(64, 64, {})])


@pytest.mark.parametrize("key", ["set", "explain"])
def test_what_only_classes_have_is_refused(tmp_path, key):
    with pytest.raises(Problem, match=f"{key}: is for networks that predict classes"):
        written(tmp_path, "found.csv", **{key: 0.9})
    assert not (tmp_path / "found.csv").exists()


def test_a_network_that_keeps_neighbours_apart_which_fusion_merges_causes_a_note():
    rows = torch.zeros(2, 1, 100, 6)
    rows[..., 0] = -1
    rows[:, 0, :2] = torch.tensor([[0, 0, 0, 100, 100, 0.9], [0, 0, 0, 100, 65, 0.8]])  # an IoU of 0.65
    assert int((fused(rows)[0, :, 0] >= 0).sum()) == 1

    def detector(overlap: float):
        one = member(small_net(0), preprocess(16))
        return replace(one, predictor=finder(), cfg={"model": {"overlap": overlap}}, folder=Path("a"))

    assert merged_neighbours([detector(0.6)]) == []
    (note,) = merged_neighbours([detector(0.7), detector(0.7)])
    assert "a: with model.overlap=0.7" in note
    assert "merges those that overlap by more than 0.6" in note
    assert merged_neighbours([member(small_net(0), preprocess(16))]) == []
