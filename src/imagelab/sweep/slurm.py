"""Run trials as jobs of a Slurm cluster.

Source: https://github.com/facebookincubator/submitit/blob/main/docs/checkpointing.md
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagelab.problem import Problem
from imagelab.sweep.launcher import command
from imagelab.sweep.trial import Trial

if TYPE_CHECKING:
    import submitit


class Slurm:
    """One job per trial, in the sweep's working directory, which all nodes must share.

    Args:
        jobs: Number of jobs in the queue at once, >= 1.
        partition: Partition to submit to; None: the cluster's default.
        minutes: Time limit per job, in minutes.
        gpus: Number of GPUs per job.
        cpus: Number of CPU cores per job.
        memory: Memory per job, in GB.
        cluster: slurm, or local: run the same jobs as processes on this machine.
        more: Other options of sbatch, by their long names.
    """

    def __init__(
        self,
        *,
        jobs: int,
        partition: str | None,
        minutes: int,
        gpus: int,
        cpus: int,
        memory: float,
        cluster: Literal["slurm", "local"],
        more: dict[str, Any],
    ) -> None:
        if jobs < 1:
            raise Problem(f"launcher.jobs: wants 1 or more, got {jobs}")
        self.jobs, self.cluster = jobs, cluster
        self.options = {
            "timeout_min": minutes,
            "gpus_per_node": gpus,
            "cpus_per_task": cpus,
            "mem_gb": memory,
            "tasks_per_node": 1,
            "name": "imagelab",
            "slurm_partition": partition,
            "slurm_additional_parameters": more,
        }
        self.executor: Any = None

    def start(self, trial: Trial, here: Callable[[Trial], int]) -> "Queued":
        self.executor = self.executor or self._executor(trial.folder.parent / "slurm")
        return Queued(self.executor.submit(Job(trial)))

    def _executor(self, folder: Path) -> Any:
        try:
            import submitit

            # Without a limit: a trial that needs more jobs than submitit's three would be given up.
            endless = {"slurm_max_num_timeout": sys.maxsize}
            executor = submitit.AutoExecutor(folder=folder, cluster=self.cluster, **endless)
        except ImportError as error:
            raise Problem("launcher=slurm: needs submitit; run pip install 'imagelab[slurm]'") from error
        except RuntimeError as error:  # no sbatch here
            raise Problem(
                f"launcher=slurm: {error}; set launcher.cluster=local to test it on this machine"
            ) from error
        executor.update_parameters(
            **{name: value for name, value in self.options.items() if value is not None}
        )
        return executor


class Job:
    """A job: starts its trial, or resumes it if an earlier job was interrupted.

    Args:
        trial: Trial to run.
    """

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        # Hide Slurm's variables: Lightning then starts further ranks by itself.
        environment = os.environ | dict(self.trial.environment) | {"SLURM_JOB_NAME": "interactive"}
        with self.trial.log.open("ab") as log:
            self.process = subprocess.Popen(
                command(self.trial),
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_leave_it_to_us,
            )
        return self.process.wait()

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """Before the job is interrupted: let the trial write a checkpoint, and queue the job again."""
        import submitit

        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError, ChildProcessError):  # it has just ended
                os.kill(self.process.pid, signal.SIGTERM)
                os.waitpid(self.process.pid, 0)  # wait() holds a lock, and may itself have been interrupted
        return submitit.helpers.DelayedSubmission(Job(self.trial))


class Queued:
    """A job that is queued, running or ended.

    Args:
        job: Job of submitit.
    """

    def __init__(self, job: Any) -> None:
        self.job = job

    def poll(self) -> int | None:
        if not self.job.done():
            return None
        try:
            return int(self.job.result())
        except Exception:  # the job ended without a result: out of memory, cancelled, node lost
            return -signal.SIGKILL

    def terminate(self) -> None:
        self.job.cancel(check=False)


def _leave_it_to_us() -> None:
    """Ignore the signal that Slurm sends to all processes of a job; the job itself stops the trial."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
