"""How soon training begins: measured in CPU time beside what any program with Lightning needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs_of_the_command import strange

NEEDLESS = ["timm", "albumentations", "wandb", "mlflow", "tensorboard", "pandas"]
# All of the command is an upper bound of its first step: ten steps, validation, test, checkpoints.
FIRST_EPOCH = [
    sys.executable,
    "-c",
    "import sys, time, torch, lightning; print(time.process_time(), flush=True); "
    "from imagelab import cli; cli.main(); "
    f"print('needless', {{*{NEEDLESS}}} & {{*sys.modules}})",
    *("train", "trainer=cpu", "trainer.max_epochs=1"),
]


def first_epoch_in(folder: Path) -> tuple[float, str]:
    """User and system time of a run and its children over that of its libraries, and what the run prints."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        FIRST_EPOCH,
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output
    libraries, output = output.split("\n", 1)
    return (used.ru_utime + used.ru_stime) / float(libraries), output


@pytest.fixture(scope="module")
def first_epoch(tmp_path_factory) -> tuple[float, str]:
    return first_epoch_in(tmp_path_factory.mktemp("first"))


def test_the_first_step_comes_within_two_and_a_half_times_what_the_libraries_take(tmp_path, first_epoch):
    ratios = []
    for attempt in range(3):  # the first may have to compile, another may be disturbed
        ratios.append((first_epoch_in(tmp_path) if attempt else first_epoch)[0])
        if ratios[-1] < 2.5:
            return
    raise AssertionError(f"the first epoch took {ratios} times the CPU time of importing torch and lightning")


def test_a_default_run_imports_nothing_that_it_does_not_use(first_epoch):
    assert first_epoch[1].splitlines()[-1] == "needless set()"


def test_a_run_prints_nothing_but_its_own_lines(first_epoch):
    assert strange(first_epoch[1]) == ["needless set()"]
