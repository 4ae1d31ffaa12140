"""How soon training begins: measured in CPU time beside what any program with Lightning needs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

NEEDLESS = ["timm", "albumentations", "wandb", "mlflow", "tensorboard", "pandas"]
# All of the command is an upper bound of its first step: ten steps, validation, test, checkpoints.
FIRST_EPOCH = [
    sys.executable,
    "-c",
    "import sys, time, torch, lightning; libraries = time.process_time(); "
    "from imagelab import cli; cli.main(); "
    f"print('needless', {{*{NEEDLESS}}} & {{*sys.modules}}); print(libraries)",
    *("train", "trainer=cpu", "trainer.max_epochs=1"),
]


class Measured(NamedTuple):
    """CPU seconds of the whole process and of importing the libraries; standard output and error."""

    whole: float
    libraries: float
    lines: list[str]
    errors: str


def first_epoch_in(folder: Path) -> Measured:
    """One epoch in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with (folder / "errors").open("w+") as errors:
        process = subprocess.Popen(
            FIRST_EPOCH,
            cwd=folder,
            env=environment | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        *lines, libraries = process.stdout.read().splitlines()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read()
    assert process.returncode == 0, said
    return Measured(used.ru_utime + used.ru_stime, float(libraries), lines, said)


@pytest.fixture(scope="module")
def first_epoch(tmp_path_factory) -> Measured:
    return first_epoch_in(tmp_path_factory.mktemp("first"))


def test_the_first_step_comes_within_two_and_a_half_times_what_the_libraries_take(tmp_path, first_epoch):
    ratios = []
    for attempt in range(3):  # the first may have to compile, another may be disturbed
        took = first_epoch_in(tmp_path) if attempt else first_epoch
        ratios.append(took.whole / took.libraries)
        if ratios[-1] < 2.5:
            return
    raise AssertionError(f"the first epoch took {ratios} times the CPU time of importing torch and lightning")


def test_a_default_run_imports_nothing_that_it_does_not_use(first_epoch):
    assert first_epoch.lines[-1] == "needless set()"


def test_a_run_in_a_process_of_its_own_warns_of_nothing(first_epoch):
    assert first_epoch.errors == ""
