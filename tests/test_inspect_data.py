import csv
import json
import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from tests.browser import load
from tests.fitting import FOLDER
from tests.in_process import imagelab
from tests.inspection.bad_files import encoded, scene

# What the page shows of copies, and which classes are left of the outliers once one of them is asked for.
LOOK = """
const link = (title) => [...document.querySelectorAll("nav a")].find((one) => one.textContent === title);
const part = (title) => document.querySelector(link(title).getAttribute("href"));
const [copies, outliers] = [part("Copies"), part("Outliers")];
const box = [...outliers.querySelectorAll("select")].at(-1);
box.value = "<b>dog";
box.dispatchEvent(new Event("input", { bubbles: true }));
const rows = [...outliers.querySelectorAll("tbody tr")].filter((row) => !row.hidden);
return {
  filtered: [...new Set(rows.map((row) => row.cells[row.cells.length - 1].textContent))],
  loaded: [...copies.querySelectorAll("img")].every((one) => one.complete && one.naturalWidth > 0),
  captions: [...copies.querySelectorAll("figcaption")].map((one) => one.textContent),
  labels: copies.querySelector("tbody tr").cells[2].textContent,
};
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two classes, one picture of which is in val too, under another label."""
    root = tmp_path_factory.mktemp("photos")
    for split, first in (("train", 0), ("val", 100)):
        for k in range(24):
            folder = root / split / "ab"[k % 2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{k}.jpg").write_bytes(encoded(scene(first + k)))
    (root / "val" / "b" / "copy.jpg").write_bytes(encoded(scene(0)))
    return root


def test_the_command_writes_findings_a_page_and_tables_without_importing_torch(photos, tmp_path):
    code = "import sys; from imagelab import cli; cli.main(); print('torch' in sys.modules, file=sys.stderr)"
    words = ["inspect", "data=folder", f"data.root={photos}", "hydra.run.dir=out"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "False"
    findings = {
        finding["name"]: finding for finding in json.loads((tmp_path / "out/inspection.json").read_text())
    }
    assert findings["copies with different labels"]["status"] == "FAIL"
    assert findings["copies with different labels"]["value"] == ["train/a/0.jpg (a) = val/b/copy.jpg (b)"]
    with (tmp_path / "out" / "duplicates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["first_file"], row["second_file"], row["kind"]) for row in rows] == [
        ("train/a/0.jpg", "val/b/copy.jpg", "exact")
    ]
    assert len((tmp_path / "out" / "images.csv").read_text().splitlines()) == 1 + 49
    page = (tmp_path / "out" / "inspection.html").read_text(encoding="utf-8")
    assert all(f"<h2>{title}</h2>" in page for title in ("Findings", "Classes", "Copies", "Outliers"))
    assert "page: out/inspection.html" in done.stdout


def test_the_page_works_in_a_browser_whatever_files_are_called(tmp_path):
    for k in range(20):
        path = tmp_path / "photos" / "train" / ("cat", "<b>dog")[k % 2] / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(scene(k, 80, 80)))
    names = "<img src=x onerror=alert(1)>.jpg", "two\nlines \"&amp;'.jpg"
    for name in names:
        (tmp_path / "photos" / "train" / "<b>dog" / name).write_bytes(encoded(scene(0, 80, 80)))
    said = imagelab("inspect", "data=folder", "data.root=photos", "hydra.run.dir=out", folder=tmp_path)
    assert said.status == 0, said
    found = load(tmp_path / "out" / "inspection.html", LOOK)
    assert found.errors == []
    assert found.returned["filtered"] == ["<b>dog"]
    assert found.returned["loaded"]
    assert set(found.returned["captions"]) == {"train/cat/0.jpg", *(f"train/<b>dog/{name}" for name in names)}
    assert found.returned["labels"] == "<b>dog / cat"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data=folder", "data.root=PHOTOS/trian"], "did you mean 'train'"),
        (["data=folder", "data.root=PHOTOS/val/b/copy.jpg"], "is a file; set it to a folder"),
        (["data=folder"], "data.root: Folder needs it; set data.root=DIR"),
        (["data=folder", "data.root=EMPTY"], "has no class folders"),
        (["data=folder", "data.root=PHOTOS", "data.classes=[a,c]"], "there is no class 'c'"),
        (["data=folder", "data.root=PHOTOS", "data.manifest=no.csv"], "data.manifest=no.csv does not exist"),
        (["data=folder", "data.root=PHOTOS", "labels=no.csv"], "labels=no.csv cannot be read"),
        (["data=folder", "data.root=PHOTOS", "data.classes=[a]", "labels=true"], "too few"),
        (["data=folder", "data.root=BROKEN", "split=repaired"], "split=repaired: no picture can be read"),
        (["annotate=5", "labels=true", "split=repaired"], "leave out split=repaired and labels"),
        (["annotate=5", "port=65536"], "port: wants 0 to 65535, got 65536"),
        (["split=repaired"], "split=repaired: needs image files, got Digits; set data=folder data.root=DIR"),
        (["split=repair"], "did you mean 'repaired'"),
        (["spilt=repaired"], "spilt: no such key; did you mean 'split'"),
    ],
)
def test_a_mistake_is_one_sentence_without_a_stack_trace(photos, tmp_path, words, sentence):
    for name in ("empty", "broken/cat", "broken/dog"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("broken/cat/1.jpg", "broken/dog/1.jpg"):
        (tmp_path / name).touch()
    places = {"PHOTOS": photos, "EMPTY": tmp_path / "empty", "BROKEN": tmp_path / "broken"}
    typed = [re.sub("|".join(places), lambda found: str(places[found[0]]), word) for word in words]
    said = imagelab("inspect", *typed, folder=tmp_path)
    assert said.status == 2
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "logs").exists()


def test_without_split_folders_the_split_is_that_of_training(photos, tmp_path):
    from imagelab.data.folder import Folder
    from imagelab.data.named import named
    from imagelab.data.splits import carve
    from tests.inspection.looked_at import collection

    source = Folder(root=str(photos / "train"), **FOLDER)
    parts = carve(named(source.splits), val_fraction=0.1, test_fraction=0.2)
    seen = collection(photos / "train", {})
    for split, images in parts.items():
        own = seen.names[seen.splits == split].tolist()
        assert own == [path.removeprefix(f"{photos}/train/") for path in images.images.paths.tolist()]


@pytest.mark.parametrize(
    "written",
    [
        {"train/a/1.jpg": b"x", "train/b/1.jpg": b""},
        {"1.jpg": encoded(scene(1)), "2.jpg": encoded(scene(2))},
        {"a/1.jpg": encoded(scene(1))},
        {"val/a/1.jpg": encoded(scene(1)), "test/b/1.jpg": encoded(scene(1))},
        {"train/a/1.jpg": encoded(scene(1)), "train/cat/1.jpg": b"", "val/Cat/1.jpg": encoded(scene(1))},
    ],
    ids=["nothing readable", "no class folders", "one picture", "no train", "other names in val"],
)
def test_what_would_stop_training_is_a_finding(tmp_path, written):
    for name, content in written.items():
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(content)
    words = "data=folder", "data.root=photos", "hydra.run.dir=out"
    assert imagelab("inspect", *words, folder=tmp_path).status == 0
    findings = {
        finding["name"]: finding for finding in json.loads((tmp_path / "out/inspection.json").read_text())
    }
    refused = findings["data=folder takes the folder"], findings["files that can be read"]
    assert "FAIL" in {finding["status"] for finding in refused}


def test_images_that_need_torch_anyway_are_also_shown_as_they_enter_the_network(tmp_path):
    said = imagelab("inspect", "data.limit=150", "hydra.run.dir=out", folder=tmp_path)
    assert said.status == 0, said
    assert "<h2>What enters the network</h2>" in (tmp_path / "out" / "inspection.html").read_text()


def test_names_that_do_not_fit_a_table_are_refused_only_in_a_repaired_split(tmp_path):
    for name in (b"a/\xff.jpg", b"b/two\nlines.jpg"):
        path = tmp_path / "photos" / os.fsdecode(name)
        path.parent.mkdir(parents=True)
        path.write_bytes(encoded(scene(len(name))))
    words = "inspect", "data=folder", "data.root=photos"
    assert imagelab(*words, folder=tmp_path).status == 0
    said = imagelab(*words, "split=repaired", folder=tmp_path)
    assert said.status == 2
    assert all(name in said.err for name in (r"'a/\udcff.jpg'", r"'b/two\nlines.jpg'"))
    assert len(list((tmp_path / "logs" / "inspect").iterdir())) == 1  # that of the first command


def test_extra_images_are_counted_by_class_and_compared_with_held_out_ones(tmp_path):
    for folder, count in (("real/a", 9), ("real/b", 9), ("extra/a", 0), ("extra/b", 0)):
        (tmp_path / folder).mkdir(parents=True)
        for k in range(count):
            (tmp_path / folder / f"{k}.png").write_bytes(encoded(scene(sum(map(ord, folder)) + k), "PNG"))
    words = ["data=folder", "data.root=real"]
    found = {}
    for name, more in (("before", []), ("after", ["data.extra=extra", "data.extra_share=0.25"])):
        said = imagelab("inspect", *words, *more, f"hydra.run.dir={name}", folder=tmp_path)
        assert "Traceback" not in said.out + said.err
        findings = json.loads((tmp_path / name / "inspection.json").read_text())
        found[name] = {one["name"]: one["value"] for one in findings}
        for label, ending in (("a", "jpg"), ("b", "bmp")):  # of a val image: near and exact copies
            rows = csv.DictReader((tmp_path / name / "images.csv").open())
            held = next(row["file"] for row in rows if (row["split"], row["label"]) == ("val", label))
            with Image.open(tmp_path / "real" / held) as image:
                for k in range(4):
                    image.save(tmp_path / "extra" / label / f"{k}.{ending}", quality=95 - k)
    train = sum(found["before"]["images by class and split"]["train"].values())
    assert found["after"].pop("extra images") == {"a": 2, "b": 2}
    assert found["after"].pop("extra images like held-out ones") == "2 exact, 2 near"
    assert round(train / 0.75 * 0.25) == 4
    assert found["after"] == found["before"]
