"""Trials as jobs of a Slurm cluster.

Source: https://github.com/facebookincubator/submitit/blob/main/docs/checkpointing.md
"""

import os
import signal
import subprocess
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
    """One job a trial, in the working folder of the sweep, which all nodes must see.

    Args:
        jobs: In the queue at once, 1 or more.
        partition: To submit to; None: the cluster's own choice.
        minutes: That a job may take.
        gpus: A job.
        cpus: A job.
        memory: GB a job.
        cluster: slurm, or local: the same jobs as processes of this machine.
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

            executor = submitit.AutoExecutor(folder=folder, cluster=self.cluster)
        except ImportError as error:
            raise Problem("launcher=slurm: needs submitit; say pip install 'imagelab[slurm]'") from error
        except RuntimeError as error:  # no sbatch here
            raise Problem(f"launcher=slurm: {error}; launcher.cluster=local tries it out here") from error
        executor.update_parameters(
            **{name: value for name, value in self.options.items() if value is not None}
        )
        return executor


class Job:
    """What a job does: start the trial, or go on with it where an earlier job was cut off.

    Args:
        trial: To run.
    """

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        # One process, whatever Slurm calls it: Lightning starts further ranks by itself then.
        environment = os.environ | dict(self.trial.environment) | {"SLURM_JOB_NAME": "interactive"}
        with self.trial.said.open("ab") as said:
            self.process = subprocess.Popen(
                command(self.trial),
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_leave_it_to_us,
            )
        return self.process.wait()

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """The job is about to be cut off: let the trial write a checkpoint, and queue it again."""
        import submitit

        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError, ChildProcessError):  # it has just ended
                os.kill(self.process.pid, signal.SIGTERM)
                os.waitpid(self.process.pid, 0)  # wait() holds a lock, and may be what was interrupted
        return submitit.helpers.DelayedSubmission(Job(self.trial))


class Queued:
    """A job in the queue, running, or at its end.

    Args:
        job: submitit's.
    """

    def __init__(self, job: Any) -> None:
        self.job = job

    def poll(self) -> int | None:
        if not self.job.done():
            return None
        try:
            return int(self.job.result())
        except Exception:  # the job ended without a word: out of memory, cancelled, its node lost
            return -signal.SIGKILL

    def terminate(self) -> None:
        self.job.cancel(check=False)


def _leave_it_to_us() -> None:
    """Slurm tells all processes of a job that it will be cut off; we ask this one to stop by ourselves."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
