"""A person's accuracy beside the model's, on the same images."""

import json
import shutil

import pytest

from imagelab.reports.beside_person import person_sections  # room: reports
from tests.in_process import imagelab


@pytest.fixture
def run(finished_once, tmp_path):
    """A finished run, and the table of its test images: file, label, prediction."""
    folder = shutil.copytree(finished_once, tmp_path / "run")
    assert imagelab("evaluate", f"run={folder}", "predictions=true", folder=tmp_path).status == 0
    lines = (folder / "evaluation.csv").read_text().splitlines()[1:]
    return folder, [line.split(",")[:3] for line in lines]


def test_both_are_measured_on_the_images_that_the_person_labelled(run):
    folder, rows = run
    right = [row for row in rows if row[1] == row[2]][:30]
    wrong = [row for row in rows if row[1] != row[2]][:5]
    said = {file: given for file, given, _ in [*right, *wrong]}
    said |= {file: str((int(given) + 1) % 10) for file, given, _ in right[:12]}  # the person errs on these
    table = folder.parent / "person.csv"
    table.write_text("file,label\n" + "".join(f"{file},{label}\n" for file, label in said.items()))
    done = imagelab("evaluate", f"run={folder}", f"person={table}", folder=folder.parent)
    assert done.status == 0, done
    found = json.loads((folder / "evaluation.json").read_text())["person"]
    assert found["images"] == 30 + len(wrong)
    assert found["person"]["accuracy"] == pytest.approx((18 + len(wrong)) / (30 + len(wrong)))
    assert found["model"]["accuracy"] == pytest.approx(30 / (30 + len(wrong)))
    assert (found["only_person"], found["only_model"]) == (len(wrong), 12)
    assert f"the person alone is right on {len(wrong)}, the model alone on 12" in " ".join(done.out.split())
    section = person_sections(folder)[0]  # room: reports
    assert f">{100 * 30 / (30 + len(wrong)):.4g}<" in section.body  # room: reports


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label\ntest/none,1\n", "labels no image of this split, but test/none"),
        ("file,label\ntest/1,ten\n", "has labels that are not classes: ten"),
        ("name,label\ntest/1,1\n", "has no column 'file'"),
    ],
)
def test_labels_that_do_not_fit_are_refused(run, text, said):
    folder, _ = run
    (folder.parent / "person.csv").write_text(text)
    done = imagelab("evaluate", f"run={folder}", "person=person.csv", folder=folder.parent)
    assert done.status == 2
    assert said in " ".join(done.err.split())
