import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagelab.contracts import Images
from imagelab.data.folder import Folder
from imagelab.problem import Problem
from tests.fitting import FOLDER

pytestmark = pytest.mark.usefixtures("own_cache")


def folder(root, manifest=None, on_bad_image="error", takes="class", label="label"):
    given = {"manifest": manifest, "on_bad_image": on_bad_image, "takes": takes, "label": label}
    return Folder(root=str(root), **FOLDER | given)


def names(files, source):
    """(class, file name) of each picture, by what the labels say."""
    return [
        (source.classes[label], Path(path).name)
        for path, label in zip(files.paths, files.labels, strict=True)
    ]


def test_class_folders_alone_are_all_for_training(tmp_path, write_classes):
    source = folder(write_classes(tmp_path, 3, "dog", "cat"))
    assert source.classes == ["cat", "dog"]
    assert list(source.splits) == ["train"]
    expected = [(name, f"{k}.png") for name in ("cat", "dog") for k in range(3)]
    assert names(source.splits["train"], source) == expected
    assert source.splits["train"].labels.dtype == np.int64
    assert isinstance(source.splits["train"], Images)
    assert source.splits["train"].sizes.tolist() == [[12, 10]] * 6


@pytest.mark.parametrize("val", ["val", "valid", "validation", "Val"])
def test_split_folders_are_found_under_their_usual_names(tmp_path, val, write_classes):
    for split, count in (("train", 3), (val, 2), ("test", 1)):
        write_classes(tmp_path / split, count, "cat", "dog")
    assert {name: len(files) for name, files in folder(tmp_path).splits.items()} == {
        "train": 6,
        "val": 4,
        "test": 2,
    }


def test_a_class_that_val_lacks_does_not_shift_the_labels(tmp_path, write_classes):
    write_classes(tmp_path / "train", 2, "ant", "bee", "cat")
    write_classes(tmp_path / "val", 1, "ant", "cat")
    source = folder(tmp_path)
    assert source.classes == ["ant", "bee", "cat"]
    assert source.splits["val"].labels.tolist() == [0, 2]


def test_without_labels_pictures_may_lie_in_no_class_folder(tmp_path, write_picture):
    for name in ("flat/b.png", "flat/a.png", "mixed/c.png", "mixed/cat/d.png", "mixed/empty/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(tmp_path / name) if name.endswith("png") else (tmp_path / name).write_text("")
    flat, mixed = (folder(tmp_path / name, takes="") for name in ("flat", "mixed"))
    assert (flat.classes, mixed.classes) == (["unlabelled"], ["cat", "unlabelled"])
    assert names(flat.splits["train"], flat) == [("unlabelled", "a.png"), ("unlabelled", "b.png")]
    assert names(mixed.splits["train"], mixed) == [("cat", "d.png"), ("unlabelled", "c.png")]
    with pytest.raises(Problem, match="flat has no class folders"):
        folder(tmp_path / "flat")
    with pytest.raises(Problem, match=r"empty has no pictures: it holds 1 \.txt files"):
        folder(tmp_path / "mixed" / "empty", takes="")


def test_without_labels_splits_may_be_flat_too(tmp_path, write_picture):
    for name in ("train/1.png", "train/2.png", "val/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_picture(tmp_path / name)
    source = folder(tmp_path, takes="")
    assert source.classes == ["unlabelled"]
    assert {split: len(files) for split, files in source.splits.items()} == {"train": 2, "val": 1}


def test_without_labels_one_class_is_enough(tmp_path, write_classes):
    assert folder(write_classes(tmp_path, 2, "cat"), takes="").classes == ["cat"]


def test_a_class_may_be_called_train(tmp_path, write_classes):
    source = folder(write_classes(tmp_path, 2, "plane", "train"))
    assert source.classes == ["plane", "train"]


def test_extensions_match_in_any_case_and_other_files_are_ignored(tmp_path, write_classes, write_picture):
    write_classes(tmp_path, 1, "cat", "dog")
    write_picture(tmp_path / "cat" / "a.PNG")
    write_picture(tmp_path / "cat" / "deeper" / "b.JPeG")
    for stray in ("cat/.DS_Store", "cat/Thumbs.db", "cat/notes.txt", ".DS_Store", "readme.md", "cat/._1.png"):
        (tmp_path / stray).write_bytes(b"x")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    source = folder(tmp_path)
    assert source.classes == ["cat", "dog"]
    assert names(source.splits["train"], source) == [
        ("cat", "0.png"),
        ("cat", "a.PNG"),
        ("cat", "b.JPeG"),
        ("dog", "0.png"),
    ]


def test_links_to_folders_are_followed_but_not_in_a_circle(tmp_path, write_classes):
    write_classes(tmp_path / "far", 2, "cat")
    write_classes(tmp_path / "root", 1, "dog")
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "far" / "cat")
    (tmp_path / "far" / "cat" / "again").symlink_to(tmp_path / "far" / "cat")
    source = folder(tmp_path / "root")
    assert source.splits["train"].labels.tolist() == [0, 0, 1]


def test_a_table_of_labels_takes_precedence(tmp_path, write_picture):
    for k in range(4):
        write_picture(tmp_path / "all" / f"{k}.png", seed=k)
    table = tmp_path / "labels.csv"
    table.write_text(
        "file,label,split\nall/0.png,b,train\nall/1.png,a,train\nall/2.png,b,valid\nall/3.png,a,test\n"
    )
    source = folder(tmp_path)
    assert source.classes == ["a", "b"]
    assert names(source.splits["train"], source) == [("a", "1.png"), ("b", "0.png")]
    assert names(source.splits["val"], source) == [("b", "2.png")]
    assert names(source.splits["test"], source) == [("a", "3.png")]
    elsewhere = shutil.move(table, tmp_path / "other.csv")
    assert len(folder(tmp_path, manifest=str(elsewhere)).splits["train"]) == 2
    assert len(folder(tmp_path, manifest="other.csv").splits["train"]) == 2
    with pytest.raises(Problem, match=r"data\.manifest=none\.csv does not exist"):
        folder(tmp_path, manifest="none.csv")


def test_the_real_photos_come_with_their_sizes(hymenoptera):
    source = folder(hymenoptera)
    assert source.classes == ["ants", "bees"]
    assert {name: len(files) for name, files in source.splits.items()} == {"train": 245, "val": 153}
    assert np.bincount(source.splits["train"].labels).tolist() == [124, 121]
    for files in source.splits.values():
        for place in range(0, len(files), 20):
            assert files.photo(place, None).shape[:2] == tuple(files.sizes[place][::-1])


@pytest.mark.parametrize(
    ("files", "root", "said"),
    [
        (["datasets/a.png"], "dataset/birds", "has no folder 'dataset'; did you mean 'datasets'"),
        (["a.png"], "a.png", "is a file; set it to a folder"),
        ([".hidden"], "", r"no class folders \(it is empty\)"),
        (["a.png"], "", r"no class folders \(it holds 1 \.png files\).*labels\.csv"),
        (["cat/1.png"], "", r"only one class \(cat\): add"),
        (
            ["a/1.png", "b/1.png", "c/.x", "d/.x"],
            "",
            r"without pictures in .*: c \(it is empty\), d \(it is empty\)",
        ),
        (["a/1.png", "b/1.png", "c/1.svg"], "", r"without pictures in .*: c \(it holds 1 \.svg files\)"),
        (
            ["train/a/1.png", "train/b/1.png", "val/z/1.png"],
            "",
            "val has classes that train does not have: z; add .*, or remove",
        ),
        (
            ["train/a/1.png", "train/b/1.png", "test/c/1.png"],
            "",
            "test has classes that train does not have: c; add .*, or remove",
        ),
        (["train/a/1.png", "train/b/1.png", "val/a/.x"], "", r"without pictures in .*val: a"),
        (["val/a/1.png", "val/b/1.png"], "", "has val/ but no train/"),
        (["train/1.png", "test/a/1.png"], "", r"train has no class folders|without pictures"),
        (
            ["train/a/1.png", "train/b/1.png", "test/1.png"],
            "",
            r"test has no class folders \(it holds 1 \.png files",
        ),
        (["train/a/1.png", "val/a/1.png", "valid/a/1.png"], "", "val and valid, which mean the same split"),
    ],
)
def test_a_bad_folder_is_reported_in_one_sentence(tmp_path, files, root, said, write_picture):
    for name in files:
        if name.endswith(".png"):
            write_picture(tmp_path / name)
        else:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
    with pytest.raises(Problem, match=said) as problem:
        folder(tmp_path / root)
    assert "\n" not in str(problem.value)
    assert str(tmp_path) in str(problem.value)


def test_unreadable_pictures_are_all_listed_or_left_out_with_a_warning(tmp_path, caplog, write_classes):
    write_classes(tmp_path, 3, "cat", "dog")
    (tmp_path / "cat" / "1.png").write_bytes(b"")
    (tmp_path / "dog" / "x.jpg").write_text("<html>")
    (tmp_path / "dog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(Problem, match=r"3 of 8 pictures cannot be read.*on_bad_image=skip") as problem:
        folder(tmp_path)
    for said in ("cat/1.png: the file is empty", "dog/x.jpg: not a picture", "dog/gone.png: No such file"):
        assert said in str(problem.value)
    with caplog.at_level(logging.WARNING):
        source = folder(tmp_path, on_bad_image="skip")
    assert names(source.splits["train"], source) == [("cat", "0.png"), ("cat", "2.png")] + [
        ("dog", f"{k}.png") for k in range(3)
    ]
    assert "left out 3 of 8 pictures" in caplog.text
    assert "cat/1.png: the file is empty" in caplog.text


def test_an_unreadable_split_is_named(tmp_path, write_classes):
    for split in ("train", "val"):
        write_classes(tmp_path / split, 1, "cat", "dog")
    for name in ("cat", "dog"):
        (tmp_path / "val" / name / "0.png").write_bytes(b"")
    with pytest.raises(Problem, match="no picture in val can be read"):
        folder(tmp_path, on_bad_image="skip")


def test_a_table_without_training_pictures_is_refused(tmp_path, write_picture):
    write_picture(tmp_path / "a.png")
    tables = {"file,label\n": "no pictures for train$", "file,label,split\na.png,x,val\n": "only for val"}
    for text, said in tables.items():
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(Problem, match=said):
            folder(tmp_path)


def test_an_unreadable_class_is_named(tmp_path, write_classes):
    write_classes(tmp_path, 2, "cat", "dog")
    for k in range(2):
        (tmp_path / "dog" / f"{k}.png").write_bytes(b"")
    with pytest.raises(Problem, match="no picture of dog in train can be read"):
        folder(tmp_path, on_bad_image="skip")


def test_what_is_no_file_and_what_is_too_large_is_unreadable_and_nothing_hangs(tmp_path, write_classes):
    write_classes(tmp_path, 3, "cat", "dog")
    os.mkfifo(tmp_path / "cat" / "pipe.jpg")
    (tmp_path / "cat" / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "dog" / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "dog" / "ring").symlink_to(tmp_path / "dog")
    Image.new("RGB", (20, 21)).save(tmp_path / "dog" / "huge.png")
    with pytest.raises(Problem, match="4 of 10 pictures cannot be read") as problem:
        Folder(root=str(tmp_path), **FOLDER | {"max_pixels": 419})
    for reason in ("pipe.jpg: a named pipe", "self.jpg: Too many", "zero.png: a device", "max_pixels=419"):
        assert reason in str(problem.value)


def test_a_lower_limit_counts_for_files_that_were_read_before(tmp_path, write_classes):
    write_classes(tmp_path, 3, "cat", "dog")  # 12 x 10 pixels
    Folder(root=str(tmp_path), **FOLDER)
    with pytest.raises(Problem, match="6 of 6 pictures"):
        Folder(root=str(tmp_path), **FOLDER | {"max_pixels": 119})


PHOTOS = "photo;kind;patient\nx/0.png;cat;1\nx/1.png;dog;1\ny/0.png;cat;2\ny/1.png;dog;3\n"


def test_a_table_with_columns_of_its_own_names_classes_and_groups(tmp_path, write_classes):
    (write_classes(tmp_path, 2, "x", "y") / "labels.csv").write_text(PHOTOS)
    columns = {"file": "photo", "label": "kind", "group": "patient"}
    source = Folder(root=str(tmp_path), **FOLDER | {"columns": columns, "delimiter": "semicolon"})
    train = source.splits["train"]
    assert names(train, source) == [("cat", "0.png"), ("cat", "0.png"), ("dog", "1.png"), ("dog", "1.png")]
    cats, dogs = train.groups[:2].tolist(), train.groups[2:].tolist()
    assert cats[0] == dogs[0]
    assert len({*cats, *dogs}) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": {"lable": "kind"}}, "data.columns: there is no 'lable' .*mean 'label'"),
        ({"columns": {"label": "kind"}, "label": "age"}, "data.label=age: data.columns names the column"),
        ({"columns": {"group": "patient"}, "group": "film"}, "data.group=film: data.columns names a column"),
        ({"columns": {"file": "photo"}, "root": "x"}, "data.columns: .* has no labels.csv with columns"),
    ],
)
def test_columns_that_say_nothing_or_two_things_are_refused(tmp_path, write_classes, changes, said):
    (write_classes(tmp_path, 2, "x", "y") / "labels.csv").write_text(PHOTOS.replace("photo", "file"))
    given = FOLDER | {"root": str(tmp_path / changes.pop("root", "."))} | changes
    if "group" in changes:
        given["columns"] |= {"label": "kind"}
    with pytest.raises(Problem, match=said):
        Folder(**given)
