"""kill -9 in the middle of a trial: the resumed sweep ends like an uninterrupted one."""

import csv
import os
import signal
import time

import pytest

from tests.in_process import imagelab
from tests.runs_of_the_command import assert_same, outcome, start

WORDS = ["-m", "sweep=random", "sweep.trials=2", "trainer=cpu", "trainer.max_epochs=6", "logger=[csv]"]
WORDS += ["data.limit=300", "data.batch_size=16", "save_every=0"]


@pytest.mark.slow
def test_a_killed_sweep_resumes_within_its_trial_bit_identically(tmp_path):
    killed = start([*WORDS, "hydra.sweep.dir=cut"], tmp_path)
    end = time.time() + 200
    while not (tmp_path / "cut/1/metrics.csv").exists() and killed.poll() is None and time.time() < end:
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=30)
    assert not (tmp_path / "cut/1/results.json").exists()
    first = (tmp_path / "cut/0/results.json").stat().st_mtime_ns
    said = imagelab("train", "resume=cut", folder=tmp_path)
    assert said.status == 0, said
    assert (tmp_path / "cut/0/results.json").stat().st_mtime_ns == first  # not run again
    assert imagelab("train", *WORDS, "hydra.sweep.dir=whole", folder=tmp_path).status == 0
    for number in "01":
        assert_same(outcome(tmp_path / "cut" / number), outcome(tmp_path / "whole" / number))
    one, other = (list(csv.reader((tmp_path / name / "sweep.csv").open())) for name in ("cut", "whole"))
    place = one[0].index("seconds")
    assert [row[:place] + row[place + 1 :] for row in one] == [
        row[:place] + row[place + 1 :] for row in other
    ]
