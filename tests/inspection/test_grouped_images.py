"""Training and inspect leave each patient on one side; a split that does not is named and repaired."""

import re
from pathlib import Path

import numpy as np
import pytest

from imagelab.data.folder import Folder
from imagelab.data.splits import prepare_splits
from imagelab.inspection.repair import repair
from imagelab.inspection.scan import scan
from tests.fitting import FOLDER
from tests.inspection.bad_files import encoded, scene
from tests.inspection.looked_at import KNOBS, collection, config_of

DEAL = ("classes", "limit", "train_limit", "val_fraction", "test_fraction", "folds", "fold", "decisions")
PATIENTS = {  # 20 patients with 1 to 4 pictures of both classes, and a copy in two of them
    f"{'ab'[(patient + shot) % 2]}/{patient:02}_{shot}.png": encoded(
        scene(11 if (patient, shot) in ((3, 0), (7, 0)) else 100 * patient + shot, 40, 40), "PNG"
    )
    for patient in range(20)
    for shot in range(1 + patient % 4)
}


def patient_of(name):
    """The patient; the two with the same picture are one."""
    return Path(name).name[:2].replace("07", "03")


@pytest.mark.parametrize("knobs", [{}, {"folds": 4, "fold": 1}, {"folds": 4, "fold": 1, "limit": 40}])
@pytest.mark.parametrize("by", ["pattern", "column"])
def test_training_and_inspect_leave_each_patient_on_one_side(tmp_path, by, knobs):
    files = dict(PATIENTS)
    group = r"/(\d+)_"
    if by == "column":
        group = "patient"
        rows = "".join(f"{name},{name[0]},no {patient_of(name)}\n" for name in files)
        files["labels.csv"] = f"file,label,patient\n{rows}".encode()
    images = collection(tmp_path, files, group=group, **knobs)
    source = Folder(root=str(tmp_path), **FOLDER | {"group": group})
    dealt = prepare_splits(source, **{name: (KNOBS | knobs)[name] for name in DEAL})
    names = {split: part.names for split, part in dealt.named.items()}
    assert names.keys() == {"train", "val", "test"}
    sides = [{patient_of(name) for name in part} for part in names.values()]
    assert sum(map(len, sides)) == len(set.union(*sides)), "a patient is on two sides"
    for split, part in names.items():
        assert sorted(part) == sorted(images.names[images.splits == split].tolist())


def test_patients_on_both_sides_of_a_given_split_are_named_and_mended(tmp_path, caplog):
    root = tmp_path / "photos"
    of_val = re.compile(r"0\d_0")  # the first picture of ten patients, whose others are in train
    files = {f"{'val' if of_val.search(name) else 'train'}/{name}": data for name, data in PATIENTS.items()}
    images = collection(root, files, group=r"/(\d+)_")
    assert "data.group: images of train and val are of one group: train/a/" in caplog.text
    repair(scan(images, tmp_path), np.arange(len(images)), config_of(root), tmp_path)
    caplog.clear()
    given = FOLDER | {"group": r"/(\d+)_", "manifest": str(tmp_path / "split.csv")}
    after = prepare_splits(Folder(root=str(root), **given), **{name: KNOBS[name] for name in DEAL})
    assert not caplog.text
    assert len(after.splits["val"]) == 10
