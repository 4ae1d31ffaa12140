"""What inspect shows as a split is what training takes, whatever the folder holds."""

import os

import pytest
from PIL import Image

from imagelab.data.folder import Folder
from imagelab.data.splits import prepare_splits
from imagelab.inspect_data import readable_counts
from imagelab.inspection.scan import Seen, scan
from imagelab.runs import csv_cells
from tests.fitting import FOLDER
from tests.in_process import imagelab, trained
from tests.inspection.bad_files import encoded, scene
from tests.inspection.looked_at import KNOBS, collection


def pictures(*names, first=0):
    """Twelve pictures for each class."""
    return {
        f"{name}/{place}.jpg": encoded(scene(first + 100 * number + place))
        for number, name in enumerate(names)
        for place in range(12)
    }


def turned(place):
    exif = Image.Exif()
    exif[0x0112] = 1 + place % 8
    return encoded(scene(place), exif=exif)


def inside(split, files):
    return {f"{split}/{name}": content for name, content in files.items()}


AB = pictures("a", "b")
BAD = {"a/empty.jpg": b"", "b/page.jpg": b"<html>", "b/half.jpg": encoded(scene(70))[:300]}
ODD = {
    "unreadable": AB | BAD | {f"a/{place}.png": b"no picture" for place in range(9)},
    "hidden and other files": AB | {"a/.hidden.jpg": b"x", "b/notes.txt": b"x", "Thumbs.db": b"x"},
    "copies": AB | {f"{name}/again{k}.jpg": AB[f"a/{k}.jpg"] for k in range(9) for name in "ab"},
    "grey": {f"{name}/{k}.png": encoded(scene(k).convert("L"), "PNG") for k in range(12) for name in "ab"},
    "alpha": AB | {f"a/{k}.png": encoded(scene(60 + k).convert("LA"), "PNG") for k in range(9)},
    "turned": {f"{name}/{k}.jpg": turned(50 * (name == "b") + k) for k in range(12) for name in "ab"},
    "nested": {f"{name[0]}/{k % 3}/{k}.jpg": data for k, (name, data) in enumerate(AB.items())},
    "a class of one": AB | {"c/1.jpg": encoded(scene(999))},
    "names": pictures("größe", "日本", "b 'c' [d]=e", "\N{PARTY POPPER}"),
    "split folders": inside("train", AB | BAD) | inside("val", pictures("a", "b", first=500) | BAD),
    "links": AB | {f"b/{k}.jpg": b"" for k in range(40, 44)},
}
CHANGES = [{}, {"folds": 3, "fold": 2}, {"limit": 8}, {"decisions": "drop.csv"}]


def taken_by_training(root, changes):
    """(split, file) of each image that a run would use."""
    source = Folder(root=str(root), **FOLDER | {"on_bad_image": "skip"})
    knobs = ("classes", "limit", "train_limit", "val_fraction", "test_fraction", "folds", "fold", "decisions")
    dealt = prepare_splits(source, **{name: (KNOBS | changes)[name] for name in knobs})
    return {
        (split, os.path.relpath(path, root)) for split, files in dealt.splits.items() for path in files.paths
    }


def shown(seen: Seen):
    """(split, file) of each readable image in images.csv."""
    images = seen.images
    places = seen.readable.nonzero()[0]
    return set(zip(images.splits[places].tolist(), images.names[places].tolist(), strict=True))


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("changes", CHANGES, ids=" ".join)
def test_inspect_and_train_deal_alike(tmp_path, monkeypatch, name, changes):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "photos"
    files = ODD[name]
    first = sorted(file for file in files if file.endswith(("/3.jpg", "/3.png")))[0]
    (tmp_path / "drop.csv").write_text(f'file,decision,label\n"photos/{first}",drop,\n', encoding="utf-8")
    images = collection(root, files, **changes)
    seen = scan(images, tmp_path)
    taken = taken_by_training(root, changes)
    assert shown(seen) == taken
    assert readable_counts(seen) == {split: sum(own == split for own, _ in taken) for split in images.parts}


def rows_of(path):
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return csv_cells.read_rows(file)


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_the_tables_of_inspect_and_train_name_the_same_images_of_val(tmp_path, name):
    """The files that the commands write, whatever the folder holds."""
    for file, content in ODD[name].items():
        (tmp_path / "photos" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / file).write_bytes(content)
    words = ["data=folder", "data.root=photos", "data.on_bad_image=skip"]
    assert imagelab("inspect", *words, "hydra.run.dir=seen", folder=tmp_path).status == 0
    small = ["model=linear", "data.size=8", "data.batch_size=full", "data.workers=0", "trainer.max_epochs=1"]
    run = trained(*words, *small, folder=tmp_path)
    seen = {
        row["file"]
        for row in rows_of(tmp_path / "seen/images.csv")
        if row["split"] == "val" and not row["fault"]
    }
    assert seen
    assert seen == {row["file"] for row in rows_of(run / "val_predictions.csv")}
