"""The recipe for ants and bees: real photos, real weights, no network; what it reaches and what it costs."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.data]


def trained(photos: Path, folder: Path, *words: str) -> tuple[float, float]:
    """Validation accuracy of `imagelab train experiment=ants_bees` and its CPU seconds, imports included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["train", "experiment=ants_bees", f"data.root={photos}", f"hydra.run.dir={folder / 'run'}"]
    offline = {"HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    subprocess.run(
        [str(Path(sys.executable).parent / "imagelab"), *command, *words],
        check=True,
        env=os.environ | offline,
        cwd=folder,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    results = json.loads((folder / "run" / "results.json").read_text())
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return results["val"]["accuracy"], seconds


def test_a_linear_probe_tells_ants_from_bees_in_a_minute(hymenoptera, tmp_path):
    accuracy, seconds = trained(hymenoptera, tmp_path)
    assert accuracy >= 0.94
    assert seconds < 60


def test_gradual_unfreezing_at_128_pixels_reaches_as_much_in_ten_minutes(hymenoptera, tmp_path):
    words = ["finetune=gradual", "data.size=128", "optimizer.lr=0.0005", "trainer.max_epochs=15"]
    accuracy, seconds = trained(hymenoptera, tmp_path, *words)
    assert accuracy >= 0.94
    assert seconds < 600
