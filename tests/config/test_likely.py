"""`data.root=DIR` alone is answered by the data set that the folder most likely is."""

from pathlib import Path

import pytest

from imagelab.config.likely import by_likelihood, holds_images_by_class
from tests.in_process import imagelab

BY_CLASS = {
    "classes": (["cat/1.JPG", "dog/2.png"], True),
    "splits": (["train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg"], True),
    "one class": (["cat/1.jpg"], False),
    "no images": (["cat/1.txt", "dog/2.csv"], False),
    "Pascal VOC": (["JPEGImages/1.jpg", "SegmentationClass/1.png", "Annotations/1.xml"], False),
    "COCO": (["train2017/1.jpg", "val2017/2.jpg", "annotations/train.json"], False),
    "YOLO": (["train/images/1.jpg", "train/labels/1.txt"], False),
    "nothing": ([], False),
}


@pytest.mark.parametrize("kind", BY_CLASS)
def test_a_folder_with_images_by_class_is_told_from_others(kind, tmp_path):
    names, wanted = BY_CLASS[kind]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert holds_images_by_class(tmp_path) == wanted
    first, *others = by_likelihood("data", ["arrow", "folder"], "root", str(tmp_path))
    assert (first, others) == ("folder", [] if wanted else ["arrow"])


def test_a_folder_that_does_not_exist_and_other_keys_keep_their_choices():
    assert not holds_images_by_class(Path("/nowhere"))
    assert by_likelihood("optimizer", ["sgd", "adam"], "momentum", 0.9) == ["sgd", "adam"]


def test_the_only_remedy_is_the_folder(tmp_path):
    for name in ("photos/cat/1.png", "photos/dog/1.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    said = imagelab("train", "data.root=photos", folder=tmp_path)
    assert said.status == 2
    assert said.err.rstrip().endswith("; set data=folder data.root=photos")
