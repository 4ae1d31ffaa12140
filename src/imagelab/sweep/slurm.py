"""Run trials, or one run, as jobs of a Slurm cluster.

Source: https://github.com/facebookincubator/submitit/blob/main/docs/checkpointing.md
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
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
        nodes: Number of machines per job.
        processes: Number of processes on each machine.
        gpus: Number of GPUs on each machine.
        cpus: Number of CPU cores per process.
        memory: Memory on each machine, in GB.
        cluster: slurm, or local: run the same jobs as processes on this machine.
        more: Other options of sbatch, by their long names.
    """

    def __init__(
        self,
        *,
        jobs: int,
        partition: str | None,
        minutes: int,
        nodes: int,
        processes: int,
        gpus: int,
        cpus: int,
        memory: float,
        cluster: Literal["slurm", "local"],
        more: dict[str, Any],
    ) -> None:
        for name, value in {"partition": partition, **more}.items():
            if not f"{name}{value}".isprintable():  # the rest of the line would be a command of the job
                raise Problem(f"launcher: {f'{name}={value}'!r} has a line break; sbatch takes single lines")
        if nodes > 1 and cluster == "local":
            raise Problem(f"launcher.nodes: {nodes} machines, but launcher.cluster=local is this one only")
        self.jobs = jobs
        self.cluster = cluster
        self.alone = nodes * processes == 1
        self.options = {
            "timeout_min": minutes,
            "nodes": nodes,
            "gpus_per_node": gpus,
            "cpus_per_task": cpus,
            "mem_gb": memory,
            "tasks_per_node": processes,
            "name": "imagelab",
            "slurm_partition": partition,
            "slurm_additional_parameters": more,
        }
        self.executor: Any = None

    def start(self, trial: Trial, here: Callable[[Trial], int]) -> "Queued":
        self.executor = self.executor or self._executor(trial.log.parent / "slurm")
        return Queued(self.executor.submit(Job(trial, alone=self.alone)))

    def text(self, folder: Path) -> str:
        """The file that sbatch would be given, on machines without Slurm, too.

        Args:
            folder: Folder of the run.
        """
        from submitit.slurm.slurm import SlurmExecutor

        class Shown(SlurmExecutor):
            @classmethod
            def affinity(cls) -> int:
                return 1  # even without sbatch

        shown = Shown(folder=folder / "slurm")
        chosen = {name.removeprefix("slurm_"): value for name, value in self.options.items()}
        given = {name: value for name, value in chosen.items() if value is not None}
        shown.update_parameters(**shown._convert_parameters(given))
        return shown._make_submission_file_text(shown._submitit_command_str, "")

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
        alone: Whether one process trains; else each of the job's tasks starts one of the group.
    """

    def __init__(self, trial: Trial, *, alone: bool) -> None:
        self.trial, self.alone = trial, alone
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        # Alone, hide Slurm's variables: Lightning then starts further ranks by itself.
        place = {"SLURM_JOB_NAME": "interactive"} if self.alone else place_of_task()
        first = place.get("SLURM_PROCID", "0") == "0"  # only this task saves, and queues the job again
        with self.trial.log.open("ab") if first else nullcontext() as log:
            self.process = subprocess.Popen(
                command(self.trial),
                env=os.environ | dict(self.trial.environment) | place,
                stdout=log,
                stderr=subprocess.STDOUT if first else None,
                start_new_session=True,
                preexec_fn=_leave_it_to_us,
            )
        code = self.process.wait()
        while first and code == 128 + signal.SIGTERM:  # Slurm preempts or cancels us: it interrupts or kills
            signal.pause()
        return code

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """Before the job is interrupted: let the trial write a checkpoint, and queue the job again."""
        import submitit

        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError, ChildProcessError):  # it has just ended
                os.kill(self.process.pid, signal.SIGTERM)
                os.waitpid(self.process.pid, 0)  # wait() holds a lock, and may itself have been interrupted
        return submitit.helpers.DelayedSubmission(Job(self.trial, alone=self.alone))


def place_of_task() -> dict[str, str]:
    """The place of this task in its job, in the variables that srun sets, also on this machine."""
    import submitit

    job = submitit.JobEnvironment()
    each = job.num_tasks // job.num_nodes
    numbers = {"NTASKS": job.num_tasks, "NTASKS_PER_NODE": each, "PROCID": job.global_rank}
    numbers |= {"LOCALID": job.local_rank, "NODEID": job.node, "JOB_ID": job.raw_job_id}
    return {f"SLURM_{name}": str(number) for name, number in numbers.items()}


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
            return int(self.job.task(0).result())
        except Exception:  # the job ended without a result: out of memory, cancelled, node lost
            return -signal.SIGKILL

    def terminate(self) -> None:
        self.job.cancel(check=False)


def _leave_it_to_us() -> None:
    """Ignore the signal that Slurm sends to all processes of a job; the job itself stops the trial."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
