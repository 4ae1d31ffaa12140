from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagelab.build import build_data
from imagelab.config.compose import compose, plain
from imagelab.data.image_data import ImageData
from imagelab.problem import Problem


def data(words: list[str]) -> ImageData:
    composed = compose("train", ["trainer=cpu", *words])
    assert composed.cfg is not None, composed.problems
    return build_data(plain(composed.cfg))


def table(folder: Path, *lines: str, head: str = "file,decision,label") -> str:
    path = folder / "decisions.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return f"data.decisions={path}"


@pytest.fixture(scope="module")
def pets(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pets")
    for split, count in [("train", 8), ("val", 3), ("test", 3)]:
        for name in ["cat", "dog"]:
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = np.full((12, 12, 3), 10 * i, np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


def folder(root: Path) -> list[str]:
    return ["data=folder", f"data.root={root}", "data.batch_size=2"]


def labels(found: ImageData, split: str) -> dict[str, str]:
    named = found.named[split]
    return {name: found.classes[k] for name, k in zip(named.names, found.splits[split].labels, strict=True)}


def test_files_are_dropped_relabelled_and_kept_in_whichever_split_they_are(pets, tmp_path, capsys):
    lines = [
        "train/cat/0.png,drop,",
        "train/dog/3.png,relabel,cat",
        "val/cat/2.png,drop,",
        "train/cat/1.png,keep,",
    ]
    before, after = data(folder(pets)), data([*folder(pets), table(tmp_path, *lines)])
    said = capsys.readouterr().out
    expected = labels(before, "train") | {"train/dog/3.png": "cat"}
    del expected["train/cat/0.png"]
    assert labels(after, "train") == expected
    assert labels(after, "val").keys() == labels(before, "val").keys() - {"val/cat/2.png"}
    assert labels(after, "test") == labels(before, "test")
    assert "train: 1 dropped, 1 relabelled, 1 kept; val: 1 dropped, 0 relabelled, 0 kept" in said


def test_pixels_go_with_their_labels(pets, tmp_path):
    found = data([*folder(pets), table(tmp_path, "train/cat/0.png,drop,", "train/dog/3.png,relabel,cat")])
    images = found.splits["train"]
    values = images.images[:, 0, 0, 0].tolist()  # type: ignore[attr-defined]
    assert values == [10 * int(Path(name).stem) for name in found.named["train"].names]


def test_images_without_files_are_named_by_their_place_in_the_source(tmp_path):
    before = data(["data=digits"])
    names = before.named["train"].names[:2] + before.named["test"].names[:1]
    lines = [f"{names[0]},drop,", f"{names[1]},relabel,7", f"{names[2]},drop,"]
    after = data(["data=digits", table(tmp_path, *lines)])
    assert after.counts == {"train": 1294, "val": 143, "test": 358}
    assert set(before.named["train"].names) - set(after.named["train"].names) == {names[0]}
    assert labels(after, "train")[names[1]] == "7"
    assert labels(after, "val") == labels(before, "val")  # what is held out stays held out
    limited = data(["data=digits", "data.limit=100", "data.batch_size=50", table(tmp_path, *lines)])
    assert not {names[0], names[2]} & {name for part in limited.named.values() for name in part.names}


def test_files_may_be_named_by_their_path_too(pets, tmp_path, monkeypatch):
    monkeypatch.chdir(pets / "train")
    lines = [f"{pets}/train/cat/0.png,drop,", "cat/1.png,drop,"]
    assert data([*folder(pets), table(tmp_path, *lines)]).counts["train"] == 14


@pytest.mark.parametrize(
    ("lines", "head", "sentence"),
    [
        (
            ["train/cat/0.png,drp,"],
            "",
            "line 2: wants one of keep, drop, relabel, got 'drp'; did you mean 'drop'",
        ),
        (["train/cat/0.png,relabel,dgo"], "", "no class 'dgo' among cat, dog; did you mean 'dog'"),
        (
            ["train/cat/00.png,keep,"],
            "",
            "no image 'train/cat/00.png' in the data; did you mean 'train/cat/0.png'",
        ),
        (
            ["train/cat/0.png,keep,", "./train/cat/0.png,drop,"],
            "",
            "has a decision on line 2; keep one",
        ),
        (
            ["train/cat/0.png,keep,"],
            "name,what,label",
            r"must have the columns file,decision\[,label\], got name,what,label; .*labels=true",
        ),
    ],
)
def test_a_bad_table_is_reported_in_one_sentence(pets, tmp_path, lines, head, sentence):
    with pytest.raises(Problem, match=sentence):
        data([*folder(pets), table(tmp_path, *lines, head=head or "file,decision,label")])


def test_a_missing_table_is_reported_in_one_sentence(pets):
    with pytest.raises(Problem, match=r"data.decisions: no\.csv cannot be read .No such file"):
        data([*folder(pets), "data.decisions=no.csv"])


def test_a_broken_file_that_was_left_out_may_be_dropped(pets, tmp_path):
    (pets / "train" / "cat" / "broken.png").write_bytes(b"")
    skip = "data.on_bad_image=skip"
    try:
        found = data([*folder(pets), skip, table(tmp_path, "train/cat/broken.png,drop,")])
    finally:
        (pets / "train" / "cat" / "broken.png").unlink()
    assert found.counts["train"] == 16
