"""`imagelab predict` writes one line per file, whatever the files are like."""

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagelab.build import build_data
from imagelab.runs import files
from imagelab.runs.csv_cells import read_rows
from tests import in_process
from tests.test_evaluate import PHOTOS, write_photos

READABLE = ["colour.jpg", "deeper/inside/turned.png", "grey.png", "grey16.png", "palette.gif"]
BROKEN = ["cut.jpg", "empty.jpg", "text.jpg"]


def write_mixed(root: Path) -> Path:
    rng = np.random.default_rng(0)
    (root / "deeper" / "inside").mkdir(parents=True)
    colour = Image.fromarray(rng.integers(0, 256, (50, 60, 3), dtype=np.uint8))
    colour.save(root / "colour.jpg")
    colour.convert("P").save(root / "palette.gif")
    colour.rotate(90).save(root / "deeper" / "inside" / "turned.png")
    Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(root / "grey.png")
    Image.fromarray(rng.integers(0, 65536, (30, 20), dtype=np.uint16)).save(root / "grey16.png")
    (root / "cut.jpg").write_bytes((root / "colour.jpg").read_bytes()[:900])
    (root / "empty.jpg").write_bytes(b"")
    (root / "text.jpg").write_text("this is no picture")
    (root / ".hidden.jpg").write_text("not looked at")
    return root


@pytest.fixture
def mixed(tmp_path) -> Path:
    return write_mixed(tmp_path / "mixed")


def predicted(run: Path, source: str, folder: Path) -> list[dict[str, str]]:
    said = in_process.imagelab(
        "predict", f"run={run}", f"source={source}", "batch_size=3", "output=out.csv", folder=folder
    )
    assert said.status == 0, said
    return list(csv.DictReader((folder / "out.csv").open(encoding="utf-8", errors="surrogateescape")))


def refused(*words: str, folder: Path) -> str:
    before = sorted(folder.rglob("*"))
    said = in_process.imagelab("predict", *words, folder=folder)
    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err
    assert sorted(folder.rglob("*")) == before
    return said.err.strip()


def test_a_folder_of_good_and_broken_files_gets_one_line_each_in_order(digits, mixed, tmp_path):
    lines = predicted(digits, "mixed", tmp_path)
    names = sorted(Path("mixed", name) for name in READABLE + BROKEN)
    assert [Path(line["file"]) for line in lines] == names
    for line in lines:
        broken = Path(line["file"]).name in BROKEN
        assert bool(line["error"]) == broken
        assert (line["class"] == "") == broken


def test_last_says_which_run_it_is_and_is_no_trial(digits, mixed, tmp_path):
    shutil.copytree(digits, tmp_path / "logs/train/mine")
    words = ["trainer=cpu", "trainer.max_epochs=1", "data.limit=200"]
    assert in_process.imagelab("train", "-m", "seed=0", *words, folder=tmp_path).status == 0
    said = in_process.imagelab("predict", "run=last", f"source={mixed}", folder=tmp_path)
    assert (said.status, said.out.splitlines()[0]) == (0, "run=last: logs/train/mine")
    assert (tmp_path / "logs/train/mine/predictions.csv").is_file()


def test_unreadable_files_are_listed_with_the_reason(digits, mixed, tmp_path):
    said = in_process.imagelab("predict", f"run={digits}", f"source={mixed}", folder=tmp_path)
    assert said.status == 0
    listed = [line for line in said.out.splitlines() if line.startswith("unreadable: ")]
    assert [Path(line.split(": ")[1]).name for line in listed] == BROKEN
    assert f"unreadable: {mixed / 'empty.jpg'}: the file is empty" in listed
    summary = f"8 files, 3 of them unreadable. Written to {digits / 'predictions.csv'}"
    assert said.out.splitlines()[-1] == summary
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mixed"]


def test_probabilities_sum_to_one_and_name_the_class(digits, mixed, tmp_path):
    classes = [str(digit) for digit in range(10)]
    for line in predicted(digits, "mixed", tmp_path):
        if line["error"]:
            continue
        values = [float(line[name]) for name in classes]
        assert sum(values) == pytest.approx(1, abs=1e-5)
        assert line["class"] == classes[int(np.argmax(values))]
        assert float(line["probability"]) == max(values)


def test_one_file_and_a_glob_are_sources_too(digits, mixed, tmp_path):
    assert [line["file"] for line in predicted(digits, "mixed/grey.png", tmp_path)] == ["mixed/grey.png"]
    found = [line["file"] for line in predicted(digits, "mixed/**/*.png", tmp_path)]
    assert found == ["mixed/deeper/inside/turned.png", "mixed/grey.png", "mixed/grey16.png"]


def test_what_is_no_picture_by_its_name_is_passed_over_and_counted(digits, mixed, tmp_path):
    for name in ("notes.txt", "labels.csv", "deeper/readme.md"):
        (mixed / name).write_text("no picture")
    for source, others in (("mixed", 3), ("mixed/*", 2)):
        said = in_process.imagelab("predict", f"run={digits}", f"source={source}", folder=tmp_path)
        assert f"of them unreadable; skipped {others} without an image extension." in said.out
        assert "notes.txt" not in said.out
    shutil.copy(mixed / "grey.png", mixed / "grey.part")
    for source in ("mixed/grey.part", "mixed/*.part"):
        assert [line["error"] for line in predicted(digits, source, tmp_path)] == [""]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no picture")
    assert "wants an image, a folder with images" in refused(f"run={digits}", "source=texts", folder=tmp_path)


def test_file_names_may_be_anything(digits, mixed, tmp_path):
    odd = ["a,b.png", 'quoted ".png', "two\nlines.png", "ünï.png", "[brackets] (1).png", "no\udcfftext.png"]
    for name in odd:
        shutil.copy(mixed / "grey.png", mixed / name)
    lines = {Path(line["file"]).name: line for line in predicted(digits, "mixed", tmp_path)}
    assert all(lines[name]["class"] == lines["grey.png"]["class"] for name in odd)


def test_names_that_look_like_formulas_are_guarded_and_read_back(digits, mixed, tmp_path, monkeypatch):
    names = ["=1+1.png", "+1.png", "-1.png", "@SUM(A1).png", "\t1.png", "'=1.png"]
    for name in names:
        shutil.copy(mixed / "grey.png", tmp_path / name)
    said = in_process.imagelab("predict", f"run={digits}", "source=*.png", "output=out.csv", folder=tmp_path)
    assert said.status == 0, said
    text = (tmp_path / "out.csv").read_text()
    assert all(line[0] in "f'" for line in text.splitlines())
    assert {row["file"] for row in read_rows(io.StringIO(text, newline=""))} == set(names)


def test_what_is_not_a_file_is_unreadable_and_cyclic_links_end(digits, mixed, tmp_path):
    odd = tmp_path / "odd"
    for name in ("a", "b", "c"):
        (odd / name).mkdir(parents=True)
        for other in ("a", "b", "c"):
            (odd / name / other).symlink_to(odd / other)
    shutil.copy(mixed / "grey.png", odd / "a" / "grey.png")
    os.mkfifo(odd / "pipe.png")
    (odd / "self.png").symlink_to("self.png")
    reasons = {"pipe.png": "a named pipe, not a file", "self.png": "Too many levels of symbolic links"}
    for source in ("odd", "odd/**/*.png", "odd/**"):
        lines = {line["file"]: line["error"] for line in predicted(digits, source, tmp_path)}
        assert lines == {"odd/a/grey.png": ""} | {f"odd/{name}": why for name, why in reasons.items()}
    assert [line["error"] for line in predicted(digits, "odd/pipe.png", tmp_path)] == [reasons["pipe.png"]]
    assert "entire path component" in refused(f"run={digits}", "source=odd/a**b", folder=tmp_path)


def test_an_unreadable_file_with_a_name_that_is_not_text_can_be_printed(digits, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "no\udcfftext.png").write_text("x")
    assert (
        "unreadable: bad/no?text.png: "
        in in_process.imagelab("predict", f"run={digits}", "source=bad", folder=tmp_path).out
    )


def test_digits_in_files_are_classified_as_in_the_run(digits, tmp_path):
    test = build_data(files.read_config(digits)).splits["test"]
    for place, (image, label) in enumerate(zip(test.images, test.labels, strict=True)):  # type: ignore[attr-defined]
        path = tmp_path / "test" / str(label) / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(path)
    assert accuracy(predicted(digits, "test", tmp_path)) == accuracy_of(digits)


@pytest.mark.parametrize("storage", ["files", "memory", "shrunk"])
def test_photos_are_classified_as_in_the_run(tmp_path, storage):
    photos = write_photos(tmp_path / "photos", "train", "val", "test")
    words = [*PHOTOS, f"data.root={photos}", f"data.storage={storage}", "trainer.max_epochs=8"]
    run = in_process.trained(*words, folder=tmp_path)
    found = accuracy(predicted(run, str(photos / "test"), tmp_path))
    assert found == accuracy_of(run)
    assert 0.5 < found < 1


def accuracy(lines: list[dict[str, str]]) -> float:
    return float(np.float32(np.mean([line["class"] == Path(line["file"]).parent.name for line in lines])))


def accuracy_of(run: Path) -> float:
    return pytest.approx(json.loads((run / "results.json").read_text())["test"]["accuracy"], abs=1e-6)


def test_a_source_without_files_is_refused(digits, tmp_path):
    (tmp_path / "hollow").mkdir()
    for source in ("nowhere", "hollow", "*.jpg"):
        assert refused(f"run={digits}", f"source={source}", folder=tmp_path) == (
            f"source={source}: wants an image, a folder with images, or a glob that matches some"
        )


def test_what_cannot_be_written_or_is_missing_is_refused(digits, mixed, tmp_path):
    words = [f"run={digits}", "source=mixed"]
    assert refused(*words, "output=nowhere/out.csv", folder=tmp_path) == (
        "output=nowhere/out.csv cannot be written: No such file or directory"
    )
    assert refused(*words, "batch_size=0", folder=tmp_path).endswith("batch_size: wants 1 or more, got 0")
    assert "is not the folder of a run" in refused("run=mixed", "source=mixed", folder=tmp_path)
    assert "source: missing" in refused(f"run={digits}", folder=tmp_path)


@pytest.mark.parametrize("word", ["score=0.5", "draw=true"])  # room: detection
def test_what_only_boxes_have_is_refused(digits, mixed, tmp_path, word):
    said = refused(f"run={digits}", f"source={mixed}", word, folder=tmp_path)
    name = word.partition("=")[0]
    assert said == f"{name}: is for networks that find boxes, and this one does not; leave it out"
