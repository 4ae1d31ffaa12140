"""`predict set=0.9` covers what it promises, and finds images of classes that the network has never seen."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import imagelab
from tests import in_process


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Path, Path]:
    """A run on eight of ten digits, and a folder of digits, val and test of the run and the left-out two."""
    folder = tmp_path_factory.mktemp("sets")
    words = ["data.classes=[0,1,2,3,4,5,6,7]", "data.val_fraction=0.3", "data.batch_size=32"]
    run = in_process.trained(*words, "trainer.max_epochs=4", folder=folder)
    given = load_digits()
    (folder / "digits").mkdir()
    for k, (image, label) in enumerate(zip(given.images, given.target, strict=True)):
        pixels = np.rint(image * 255 / 16).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "digits" / f"{label}-{k}.png")
    return run, folder


def test_sets_cover_and_left_out_digits_are_unlike(places):
    run, folder = places
    words = [f"run={run}", "source=digits", "set=0.9", "output=o.csv"]
    said = in_process.imagelab("predict", *words, folder=folder)
    assert said.status == 0, said
    rows = list(csv.DictReader((folder / "o.csv").open()))
    known = [row for row in rows if row["file"][7] < "8"]
    covered = np.mean([row["file"][7] in row["set"].split("|") for row in known])
    assert covered > 0.89  # training images are among them, so it is more
    assert all(row["class"] in row["set"].split("|") for row in rows)
    strange = [row["file"][7] >= "8" for row in rows]
    assert roc_auc_score(strange, [float(row["unlike"]) for row in rows]) > 0.8
    assert roc_auc_score(strange, [float(row["far"]) for row in rows]) > 0.85


def test_the_checkpoint_keeps_it_and_what_cannot_give_sets_says_so(places, tmp_path):
    run, folder = places
    known = imagelab.load(run).certainty
    assert known is not None
    assert known.images == 348
    near = imagelab.load(run).nearness
    assert near is not None
    assert near.features.shape[0] == 348
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    last.pop("nearness", None)  # as in a checkpoint that is older than the column
    torch.save(last, tmp_path / "older.ckpt")
    said = in_process.imagelab(
        "predict",
        f"run={tmp_path / 'older.ckpt'}",
        "source=digits/1-1.png",
        "set=0.9",
        "output=older.csv",
        folder=folder,
    )
    assert said.status == 0, said
    (row,) = csv.DictReader((folder / "older.csv").open())
    assert (row["far"], row["unlike"] != "") == ("", True)
    for words, why in ((["tta=flip"], "leave tta out"), (["set=1.5"], "between 0 and 1")):
        said = in_process.imagelab("predict", f"run={run}", "source=digits", "set=0.9", *words, folder=folder)
        assert said.status == 2
        assert why in said.err
