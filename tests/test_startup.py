"""How soon training begins: measured in CPU time beside what any program with Lightning needs."""

import os
import subprocess
import sys
from pathlib import Path

from tests.runs_of_the_command import IMAGELAB

LIBRARIES = [sys.executable, "-c", "import torch, lightning"]
# All of the command is an upper bound of its first step: ten steps, validation, test, checkpoints.
FIRST_EPOCH = [IMAGELAB, "train", "trainer=cpu", "trainer.max_epochs=1"]
NEEDLESS = ["timm", "albumentations", "wandb", "mlflow", "tensorboard", "pandas"]


def cpu_seconds(command: list[str], folder: Path) -> float:
    """User and system time of a process and its children."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


def test_the_first_step_comes_within_two_and_a_half_times_what_the_libraries_take(tmp_path):
    ratios = []
    for _ in range(3):  # the first may have to compile, another may be disturbed
        libraries, first_epoch = cpu_seconds(LIBRARIES, tmp_path), cpu_seconds(FIRST_EPOCH, tmp_path)
        ratios.append(first_epoch / libraries)
        if ratios[-1] < 2.5:
            return
    raise AssertionError(f"the first epoch took {ratios} times the CPU time of importing torch and lightning")


def test_a_default_run_imports_nothing_that_it_does_not_use(tmp_path):
    code = (
        "import sys; from imagelab import cli; cli.main(); "
        f"print(sorted(set({NEEDLESS}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *FIRST_EPOCH[1:]],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[]"
