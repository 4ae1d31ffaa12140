# room: generators
"""The default run of `task=gan` makes digits that a classifier takes for those asked for."""

import json
import time

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from tests import in_process


@pytest.mark.slow
def test_digits_are_those_that_were_asked_for(tmp_path):
    begun = time.process_time()
    assert in_process.imagelab("train", "task=gan", "hydra.run.dir=run", folder=tmp_path).status == 0
    assert time.process_time() - begun < 240
    said = in_process.imagelab("generate", "run=run", "count=500", "output=made", folder=tmp_path)
    assert said.status == 0
    images, labels = load_digits(return_X_y=True)
    judge = SVC(gamma=0.001, C=10).fit(images, labels)
    rates = []
    for label in range(10):
        files = sorted((tmp_path / "made" / str(label)).glob("*.png"))
        pixels = np.stack([np.asarray(Image.open(file)).ravel() for file in files]) / 255 * 16
        rates.append(float((judge.predict(pixels) == label).mean()))
    assert np.mean(rates) >= 0.9
    assert sorted(rates)[1] > 0.7


RUNS = {  # what makes a run fail -> its words, and the verdict that names it
    "nothing": (["trainer.max_epochs=60"], "healthy"),
    "a generator that hardly moves": (
        ["loss=minimax", "task.generator_rate=0.001", "trainer.max_epochs=30"],
        "discriminator wins",
    ),
    "forty images": (
        ["data.train_limit=40", "data.val_fraction=0.3", "data.batch_size=40", "trainer.max_epochs=400"],
        "discriminator memorises",
    ),
    "a generator that need not vary": (
        ["model=began", "loss.ratio=0.7", "trainer.max_epochs=60"],
        "collapsed",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("failing", RUNS)
def test_the_verdict_names_what_was_made_to_happen(failing, tmp_path):
    words, state = RUNS[failing]
    run = in_process.trained("task=gan", *words, folder=tmp_path)
    verdict = next(one for one in json.loads((run / "report.json").read_text()) if one["name"] == "verdict")
    assert verdict["value"] == state, verdict
