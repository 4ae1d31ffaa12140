# room: generators
"""The default run of `task=gan` makes digits that a classifier takes for those asked for."""

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
