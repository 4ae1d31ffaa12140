"""Submit one run as a job of a cluster, or show the job: `imagelab train launcher=slurm`, without -m."""

import shlex
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from imagelab.config.compose import key
from imagelab.config.make import make
from imagelab.config.rules.processes import is_job
from imagelab.config.schema import Node
from imagelab.problem import Problem
from imagelab.runs import claim
from imagelab.sweep.launcher import command
from imagelab.sweep.plan import GROUPS
from imagelab.sweep.trial import Trial
from imagelab.terminal import screen

LOG = "job.log"


def submit(cfg: Node, folder: Path) -> None:
    """Submit a run to the launcher of its config, and say how to follow and cancel it.

    Args:
        cfg: Config of the run.
        folder: Folder of the run, which the job will begin.

    Raises:
        Problem: A job for this folder has been submitted before.
    """
    if (folder / "slurm").exists():
        raise Problem(f"{folder}: a job was submitted for this folder before; see {folder / 'slurm'}.")
    try:
        queued = make(cfg["launcher"]).start(_trial(folder), lambda _: 0)
    except Problem:
        _forget(cfg, folder)
        raise
    local = cfg["launcher"]["cluster"] == "local"
    screen.say(
        f"Job {queued.job.job_id} is {'running' if local else 'queued'}. Run folder: {folder}",
        f"Output: tail -f {folder / LOG}",
        f"Cancel: {'kill' if local else 'scancel'} {queued.job.job_id}",
    )


def show(cfg: Node, folder: Path) -> None:
    """Print the file that `submit` would give to sbatch, and the command of each of its tasks.

    Raises:
        Problem: The run is not a job.
    """
    _forget(cfg, folder)
    if not is_job(cfg):
        raise Problem("--dry-run shows the job of launcher=slurm; `--cfg job` shows the config of a run.")
    trial = _trial(folder)
    screen.say(make(cfg["launcher"]).text(folder.absolute()))
    screen.say(f"# Each task runs, the first time:\n# {shlex.join(command(trial))}")
    screen.say(f"# and after an interruption: {shlex.join([*command(trial)[:3], f'resume={folder}'])}")


def _forget(cfg: Node, folder: Path) -> None:
    """Remove what Hydra has written for a run that does not begin here."""
    claim.begin(cfg, folder)
    claim.discard(folder)


def _trial(folder: Path) -> Trial:
    typed = [word for word in HydraConfig.get().overrides.task if key(word).partition(".")[0] not in GROUPS]
    return Trial(number=0, words=typed, folder=folder, log=folder / LOG, environment={})
