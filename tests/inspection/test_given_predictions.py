from pathlib import Path

import pytest

from imagelab.inspection.given_predictions import Given, given_predictions
from imagelab.problem import Problem

NAMES, SPLITS = ["train/a.png", "train/b.png", "val/c.png"], ["train", "train", "val"]
HEAD = "file,fold,cat,dog"


def read(folder: Path, *lines: str) -> Given:
    table = folder / "predictions.csv"
    table.write_text("\n".join(lines) + "\n")
    return given_predictions(str(table), names=NAMES, splits=SPLITS, classes=["cat", "dog"])


def test_predictions_find_their_images_in_any_order(tmp_path) -> None:
    found = read(tmp_path, "dog,file,cat,fold", "0.25,val/c.png,0.75,1", "1,train/a.png,0,0")
    assert found.places.tolist() == [2, 0]
    assert found.probabilities.tolist() == [[0.75, 0.25], [0, 1]]
    assert found.fold == ["1", "0"]


def test_held_out_images_need_one_fold_only(tmp_path) -> None:
    assert read(tmp_path, HEAD, "val/c.png,val,0.5,0.5").places.tolist() == [2]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["file,cat,dog", "train/a.png,1,0"], "no column `fold`: a network repeats the labels"),
        ([HEAD, "train/a.png,,1,0"], "names no fold for 1 images"),
        ([HEAD, "train/a.png,0,1,0", "val/c.png,0,1,0"], "a single fold .0. with 1 training images"),
        (["file,fold,cat,dgo", "train/a.png,0,1,0"], "no column 'dog': .* did you mean 'dgo'"),
        (
            [HEAD, "train/aa.png,0,1,0"],
            "not in the data: train/aa.png; did you mean 'train/a.png'",
        ),
        ([HEAD, "train/a.png,0,3,-1", "val/c.png,1,2,1"], "has 2 rows that are not probabilities"),
        ([HEAD, "train/a.png,0,x,1", "val/c.png,1,1,0"], "a probability that is not a number"),
    ],
)
def test_predictions_that_are_invalid_or_not_held_out_are_refused(tmp_path, lines, sentence) -> None:
    with pytest.raises(Problem, match=sentence):
        read(tmp_path, *lines)
