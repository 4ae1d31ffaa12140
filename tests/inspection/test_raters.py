"""Two people's labels of the same images: agreement, kappa, where they differ."""

import csv

import numpy as np
import pytest

from imagelab.inspection.raters import kappa_interval, raters, raters_of
from imagelab.inspection.scan import scan
from imagelab.problem import Problem
from tests.inspection.looked_at import collection, png

FILES = [f"{name}/{k}.png" for name in ("cat", "dog") for k in range(10)]
ANNA = ["cat"] * 9 + ["dog"] * 11
BEN = ["cat"] * 8 + ["dog"] * 8 + ["cat"] * 4


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """The answer on a table with both columns, and the folder of its files."""
    monkeypatch.chdir(tmp_path)
    rows = [",".join(row) for row in zip(FILES, ANNA, BEN, strict=True)]
    (tmp_path / "both.csv").write_text("\n".join(["file,label_a,label_b", *rows, "cat/none.png,cat,"]))
    images = collection(tmp_path / "photos", {file: png(12 * k) for k, file in enumerate(FILES)})
    return raters(scan(images, tmp_path), {"raters": "both.csv"}, tmp_path), tmp_path


def test_agreement_and_kappa_are_those_of_the_formula(compared):
    found = {one.name: one for one in compared[0].findings}
    agreed = 15 / 20
    chance = 9 / 20 * 12 / 20 + 11 / 20 * 8 / 20
    assert found["agreement of two people"].value["share"] == agreed
    assert found["Cohen's kappa"].value["kappa"] == pytest.approx((agreed - chance) / (1 - chance), abs=1e-4)
    assert found["Cohen's kappa"].status == "WARN"
    assert found["labels of label_a"].value["share"] == 19 / 20
    assert found["labels of label_b"].value["share"] == 14 / 20


def test_it_says_where_they_differ(compared):
    answer, folder = compared
    with (folder / "disagreements.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "label_a", "label_b", "label"]
    assert rows[1] == ["cat/8.png", "cat", "dog", "cat"]
    assert [row[0] for row in rows[2:]] == FILES[16:]
    assert answer.marks == {"people disagree": ["cat/8.png", *FILES[16:]]}
    assert answer.sections[0].body.count("<tr>") == 1 + 5


def test_the_interval_of_kappa_covers_the_true_one():
    """Two people who agree on half of the images and guess on the rest: kappa is 0.5."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(100):
        first, second = rng.integers(0, 3, (2, 80))
        second = np.where(rng.random(80) < 0.5, first, second)
        low, high = kappa_interval(first.astype(str), second.astype(str))
        covered.append(low <= 0.5 <= high)
    assert 0.88 <= np.mean(covered) <= 1


def test_two_tables_are_compared_on_the_images_that_both_have(tmp_path):
    (tmp_path / "a.csv").write_text(
        "number,file,given,said\n0,x.png,cat,dog\n1,y.png,cat,cat\n2,x.png,cat,cat\n"
    )
    (tmp_path / "b.csv").write_text("file,label\ny.png,cat\nx.png,cat\nz.png,dog\n")
    found = raters_of([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")])
    assert found.files == ["x.png", "y.png"]
    assert found.labels.tolist() == [["dog", "cat"], ["cat", "cat"]]  # the first answer counts
    assert found.alone == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label_a\nx,y\n", "no column 'label_b': expected file,label_b, got file,label_a; did you mean"),
        ("file,label_a,label_b\nx,y,\n", "no image has labels of both people"),
    ],
)
def test_a_table_without_two_labels_is_refused(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(Problem, match=said):
        raters_of(str(tmp_path / "t.csv"))
