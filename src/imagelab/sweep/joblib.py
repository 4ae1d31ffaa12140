"""Run several trials at once on this machine, each in its own process.

joblib only counts the cores that this process may use. Its pool of workers is not used, since one killed
worker ends them all.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import joblib

from imagelab.sweep.launcher import command
from imagelab.sweep.trial import Trial

PARENT_DIES = 1  # PR_SET_PDEATHSIG of prctl(2)


class Joblib:
    """Run trials that share the cores, and the GPUs if any are listed.

    Args:
        jobs: Number of trials at once, >= 1.
        devices: Indices of GPUs, assigned to trials in turn; None: each trial sees all.
    """

    def __init__(self, *, jobs: int, devices: list[int] | None) -> None:
        self.jobs, self.devices = jobs, devices
        self.running: dict[int, subprocess.Popen[bytes]] = {}  # by slot: 0 to jobs - 1

    def start(self, trial: Trial, here: Callable[[Trial], int]) -> subprocess.Popen[bytes]:
        place = next(
            i for i in range(self.jobs) if i not in self.running or self.running[i].poll() is not None
        )
        with trial.log.open("wb") as log:
            self.running[place] = subprocess.Popen(
                command(trial),
                env=self.environment(place) | dict(trial.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches it only through us, and only once
                preexec_fn=_stop_with_parent if sys.platform == "linux" else None,
            )
        return self.running[place]

    def environment(self, place: int) -> dict[str, str]:
        """Environment variables of a trial in one of the slots: its share of threads, its GPU."""
        share = max(1, joblib.cpu_count() // self.jobs)
        found = {"OMP_NUM_THREADS": str(share)} | dict(os.environ)
        if self.devices:
            found["CUDA_VISIBLE_DEVICES"] = str(self.devices[place % len(self.devices)])
        return found


def _stop_with_parent() -> None:
    """Ask the kernel to stop this process, with a checkpoint, when the sweep is killed."""
    ctypes.CDLL(None).prctl(PARENT_DIES, signal.SIGTERM)
