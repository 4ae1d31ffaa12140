import io
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from imagelab.data import arrow as module
from imagelab.data.arrow import Arrow, find_files, from_hub
from imagelab.data.files import Files
from imagelab.data.folder import Folder
from imagelab.data.packed import Packed
from imagelab.pack import pack_split
from imagelab.problem import Problem
from tests.fitting import FOLDER

pytestmark = pytest.mark.usefixtures("own_cache")

KNOBS = {key: FOLDER[key] for key in ("on_bad_image", "max_pixels")} | {"labelled": True}
KNOBS |= {"subset": None, "image": "image", "label": "label"}


def png(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pixels_of(images: Packed | Files) -> np.ndarray:
    return np.stack([images.photo(place, None) for place in range(len(images))])


def hub_table(labels: list, names: list[str] | None, first: int = 0) -> pa.Table:
    """As on the hub: images as structs, the names of the classes in the metadata."""
    feature = {"names": names, "_type": "ClassLabel"} if names else {"dtype": "string", "_type": "Value"}
    features = {"image": {"_type": "Image"}, "label": feature, "more": {"dtype": "int64", "_type": "Value"}}
    images = [{"bytes": png(first + k), "path": None} for k in range(len(labels))]
    table = pa.table({"image": images, "label": labels, "more": list(range(len(labels)))})
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


@pytest.fixture
def photos(tmp_path: Path, write_classes) -> Path:
    return write_classes(tmp_path / "photos", 20, "cat", "dog")


@pytest.fixture
def packed(photos: Path, tmp_path: Path) -> Path:
    source = Folder(root=str(photos), **FOLDER)
    pack_split(tmp_path / "packed", "train", source.splits["train"], source.classes, 5000)
    return tmp_path / "packed"


def test_a_packed_folder_has_the_same_pictures_and_labels_in_the_same_order(photos, packed):
    files = Folder(root=str(photos), **FOLDER)
    source = Arrow(root=str(packed), **KNOBS)
    images = source.splits["train"]
    assert len(list(packed.iterdir())) > 2
    assert source.classes == ["cat", "dog"]
    assert images.labels.tolist() == files.splits["train"].labels.tolist()
    assert (images.sizes == files.splits["train"].sizes).all()
    assert (pixels_of(images) == pixels_of(files.splits["train"])).all()
    some = images.select(np.array([30, 2])).relabel(np.array([0, 1]))
    assert (pixels_of(some) == pixels_of(images)[[30, 2]]).all()


def test_packed_pictures_are_read_without_their_labels_too(packed):
    images = Arrow(root=str(packed), **KNOBS | {"labelled": False}).splits["train"]
    assert (pixels_of(images) == pixels_of(Arrow(root=str(packed), **KNOBS).splits["train"])).all()
    assert not images.labels.any()


@pytest.mark.parametrize("kind", ["parquet", "arrow stream", "compressed arrow", "binary column"])
def test_what_the_hub_and_its_library_write_is_read(tmp_path, kind):
    table = hub_table([1, 0, 2, 1], ["ant", "bee", "cow"])
    path = tmp_path / "data" / ("train-00000-of-00001." + ("arrow" if "arrow" in kind else "parquet"))
    path.parent.mkdir()
    if kind == "binary column":
        table = table.set_column(0, "image", table["image"].combine_chunks().field("bytes"))
    if "arrow" in kind:
        options = pa.ipc.IpcWriteOptions(compression="zstd" if "compressed" in kind else None)
        with pa.ipc.new_stream(str(path), table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=3)
    else:
        pq.write_table(table, path, row_group_size=3)
    pq.write_table(hub_table([0, 2], ["ant", "bee", "cow"], first=4), path.with_name("test-0.parquet"))
    source = Arrow(root=str(tmp_path), **KNOBS)
    assert source.classes == ["ant", "bee", "cow"]
    assert {split: images.labels.tolist() for split, images in source.splits.items()} == {
        "train": [1, 0, 2, 1],
        "test": [0, 2],
    }
    shown = np.stack([np.asarray(Image.open(io.BytesIO(png(k)))) for k in range(6)])
    assert (pixels_of(source.splits["train"]) == shown[:4]).all()
    assert (pixels_of(source.splits["test"]) == shown[4:]).all()


def test_classes_are_words_or_numbers_where_no_names_are_said(tmp_path):
    pq.write_table(hub_table(["b", "a", "b"], None), tmp_path / "train.parquet")
    found = Arrow(root=str(tmp_path / "train.parquet"), **KNOBS)
    assert (found.classes, found.splits["train"].labels.tolist()) == (["a", "b"], [1, 0, 1])
    pq.write_table(hub_table([7, 3, 7], None), tmp_path / "train.parquet")
    found = Arrow(root=str(tmp_path), **KNOBS)
    assert (found.classes, found.splits["train"].labels.tolist()) == (["3", "7"], [1, 0, 1])
    unlabelled = Arrow(root=str(tmp_path), **KNOBS | {"labelled": False, "label": "none"})
    assert unlabelled.classes == ["unlabelled"]


def test_each_mistake_is_a_sentence(tmp_path):
    pq.write_table(hub_table([0, -1], ["a", "b"]), tmp_path / "train.parquet")
    for words, said in (
        ({"image": "imag"}, "data.image=imag: .* did you mean 'image'"),
        ({"label": "more!"}, "data.label=more!: .* no such column, only image, label, more"),
        ({"image": "more"}, "data.image=more: that column .* holds int64, not encoded images"),
        ({}, "train.parquet has the label -1, but 2 classes"),
    ):
        with pytest.raises(Problem, match=said):
            Arrow(root=str(tmp_path), **KNOBS | words)
    (tmp_path / "train.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(Problem, match=r"train\.parquet is damaged, or no Arrow or Parquet file"):
        Arrow(root=str(tmp_path), **KNOBS)
    (tmp_path / "train.parquet").unlink()
    with pytest.raises(Problem, match="no Arrow or Parquet file in"):
        Arrow(root=str(tmp_path), **KNOBS)


def test_unreadable_pictures_are_listed_and_left_out(tmp_path):
    table = hub_table([0, 1, 0, 1], ["a", "b"]).to_pydict()
    table["image"][2] = {"bytes": b"<html>", "path": None}
    pq.write_table(pa.table(table), tmp_path / "train.parquet")
    with pytest.raises(Problem, match=r"1 of 4 pictures cannot be read.*\n.*not a picture"):
        Arrow(root=str(tmp_path), **KNOBS)
    for _ in range(2):  # the second time from the record
        found = Arrow(root=str(tmp_path), **KNOBS | {"on_bad_image": "skip"})
        assert found.splits["train"].labels.tolist() == [0, 1, 1]


def test_each_damage_of_a_shard_is_noticed_and_the_shard_is_named(packed):
    shard = sorted(packed.iterdir())[1]
    content, rng = shard.read_bytes(), np.random.default_rng(0)
    before, noticed = read(packed)[0], 0
    for _ in range(60):
        place = int(rng.integers(len(content)))
        cut = rng.integers(4) == 0
        damaged = (
            content[:place] if cut else content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]
        )
        shard.write_bytes(damaged)
        found, said = read(packed)
        if said:
            assert shard.name in said
            noticed += 1
        else:  # in padding, or in the name of a file
            assert (found == before).all()
    assert noticed > 30


def read(packed: Path) -> tuple[np.ndarray, str]:
    """All pixels below their labels, or why they cannot be read."""
    try:
        images = Arrow(root=str(packed), **KNOBS).splits["train"]
        return pixels_of(images) + images.labels[:, None, None, None].astype(np.uint8), ""
    except Problem as problem:
        return np.zeros(0), str(problem)


def test_damage_after_the_first_look_is_noticed_when_the_picture_is_read(packed):
    images = Arrow(root=str(packed), **KNOBS).splits["train"]
    shard, first, length, _ = images.table[25].tolist()
    path = Path(images.shards[shard])
    with path.open("r+b") as file:
        file.seek(first + length // 2)
        file.write(b"\0\xff\0")
    images.photo(24, None)
    with pytest.raises(Problem, match=f"{path.name} is damaged"):
        images.photo(25, None)


def test_a_worker_gets_the_table_and_no_pixels(packed):
    images = Arrow(root=str(packed), **KNOBS).splits["train"]
    images.photo(0, None)
    many = images.select(np.zeros(10_000, np.int64))
    assert len(pickle.dumps(many)) < 60 * 10_000
    assert (pickle.loads(pickle.dumps(images)).photo(3, None) == images.photo(3, None)).all()


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"], ["train", "train"]),
        (["data/test-0.parquet", "data/train-0.parquet"], ["test", "train"]),
        (["test/0000.parquet", "train/0000.parquet"], ["test", "train"]),
        (["cats.arrow", "cats-validation.arrow", "cache-17.arrow"], ["val", "train"]),
    ],
)
def test_splits_are_read_from_names(tmp_path, names, splits):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [split for split, _ in find_files(tmp_path, None)] == splits


def test_a_named_pipe_is_no_shard_and_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "train.parquet")
    with pytest.raises(Problem, match="there is no Arrow or Parquet file"):
        find_files(tmp_path, None)


def test_several_data_sets_in_one_folder_are_told_apart(tmp_path):
    for name in ("fine/train-0.parquet", "coarse/train-0.parquet"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(Problem, match=r"several data sets: say data\.subset=FOLDER, one of coarse, fine"):
        find_files(tmp_path, None)
    assert find_files(tmp_path, "fine") == [("train", tmp_path / "fine" / "train-0.parquet")]


def test_the_hub_is_asked_for_files_only_and_its_refusal_is_a_sentence(tmp_path, monkeypatch):
    import huggingface_hub

    asked = []

    def download(name, **how):
        asked.append((name, how["repo_type"], how["allow_patterns"], how.get("revision")))
        if "revision" in how:
            pq.write_table(hub_table([0, 1], ["a", "b"]), tmp_path / "train.parquet")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert Arrow(root="someone/cats", **KNOBS).classes == ["a", "b"]
    patterns = ["*.arrow", "*.parquet"]
    assert asked == [
        ("someone/cats", "dataset", patterns, None),
        ("someone/cats", "dataset", patterns, module.CONVERTED),
    ]
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: 1 / 0)
    with pytest.raises(
        Problem, match="someone/cats: there is no such folder, and the Hugging Face hub did not"
    ):
        from_hub("someone/cats")
    with pytest.raises(Problem, match="/nowhere/at/all does not exist, and is not a name on"):
        from_hub("/nowhere/at/all")
