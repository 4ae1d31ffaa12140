"""Log to Weights & Biases: online if logged in and the server answers, otherwise to disk, to sync later.

Source: https://docs.wandb.ai/models/ref/python/functions/init
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

import wandb
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers import WandbLogger
from wandb.errors import Error
from wandb.sdk.lib import wbauth

from imagelab.checkpoints.durable import BEST
from imagelab.finding import Finding
from imagelab.logger.identity import run_id
from imagelab.logger.reach import answers
from imagelab.pages.wording import printable, words
from imagelab.problem import Problem
from imagelab.runs.files import CONFIG, read_config
from imagelab.runs.provenance import git_state
from imagelab.terminal import screen
from imagelab.terminal.summary import near

PATIENCE = 3.0  # seconds for the server's first answer
START_PATIENCE = 15  # seconds for the server to accept the run
UPLOAD_PATIENCE = 60  # seconds for the last upload; the rest can be synced later
ASIDE = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}  # values of WANDB_MODE


def wandb_logger(
    *,
    project: str,
    entity: str | None,
    name: str | None,
    tags: list[str],
    group: str | None,
    mode: Literal["auto", "offline"],
    artifacts: bool,
    folder: Path,
) -> WandbLogger:
    """Make a logger that never prompts, never waits long and never stops training.

    Args:
        project: Name of the W&B project.
        entity: User or team that owns the project; null: the account's default.
        name: Name of the run; null: the name of its folder.
        tags: Tags of the run.
        group: Name of a group of runs to plot together, such as folds or seeds.
        mode: "auto": online if possible; "offline": only on disk. The variable WANDB_MODE takes precedence.
        artifacts: Whether the best checkpoint and the decisions on single images are uploaded at the end.
        folder: Folder of the run; a resumed run continues under the ID kept there.
    """
    return _Wandb(
        folder=folder,
        mode=mode,
        artifacts=artifacts,
        project=project,
        entity=entity,
        name=name or folder.name,
        tags=tags,
        group=group,
        id=run_id(folder / "wandb", id_from_agent()),
        config={"git": git_state()},
    )


class _Wandb(WandbLogger):
    """Lightning's logger, which here chooses between online and offline when the run starts."""

    def __init__(self, *, folder: Path, mode: str, artifacts: bool, **init: Any) -> None:
        super().__init__(save_dir=folder, **init)
        del self._wandb_init["anonymous"]  # wandb warns about it
        self._folder = folder
        self._mode = mode
        self._artifacts = artifacts
        self._lost = False
        self.pages: dict[str, str] = {}  # the page of the run, once it has one

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        if self._experiment is None:
            if wandb.run is not None:
                wandb.finish()  # an earlier run of this process that ended in an error
            self._experiment = self._start()
            self._experiment.define_metric("trainer/global_step")
            self._experiment.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        return self._experiment

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        if not self._lost:
            self._mind(lambda: super(_Wandb, self).log_metrics(metrics, step))

    @rank_zero_only
    def log_report(self, stem: str, findings: Sequence[Finding], page: str) -> None:
        """Log the result of a command: a table of its findings, and its page."""
        if not self._lost:
            self._mind(lambda: self._log_report(stem, findings, page))

    @rank_zero_only
    def close(self, *, failed: bool = False) -> None:
        """End the run on the server: otherwise the next run of this process would be logged into it."""
        if self._experiment is not None:
            if self._artifacts and not failed:
                self._mind(self._log_artifacts)
            self._mind(partial(self._experiment.finish, exit_code=int(failed)))
        self._experiment = None

    def _mind(self, call: Callable[[], object]) -> None:
        """Call W&B; an error must not end training, so it is shown once and W&B is given up."""
        try:
            call()
        except Exception as error:
            if not self._lost:
                why = f"{type(error).__name__}: {error}"
                screen.say(f"W&B: gave up ({why}); to upload what is missing: {self._sync()}")
            self._lost = True

    def _log_report(self, stem: str, findings: Sequence[Finding], page: str) -> None:
        names = [field.name for field in fields(Finding)]
        rows = [
            [*(printable(words(getattr(one, name))) for name in names[:-1]), one.seconds] for one in findings
        ]
        shown = {"records": wandb.Table([*names], rows), "page": wandb.Html(page, inject=False)}
        self.experiment.log({f"{stem}/{name}": item for name, item in shown.items()})

    def _log_artifacts(self) -> None:
        """Keep the best checkpoint, and the decisions on single images, beside the run on the server."""
        run = f"{self._wandb_init['name']}-{self._wandb_init['id']}"
        for kind, file in (("model", self._folder / "checkpoints" / BEST), ("decisions", self._decisions())):
            if file is not None and file.is_file():
                kept = wandb.Artifact(f"{run}-{kind}", type=kind)
                kept.add_file(str(file))
                self.experiment.log_artifact(kept)

    def _decisions(self) -> Path | None:
        if not (self._folder / CONFIG).is_file():
            return None
        named = read_config(self._folder).get("data", {}).get("decisions")
        return Path(named).expanduser() if named else None

    def _sync(self) -> str:
        return f"wandb sync {near(self._folder)}/wandb/*run-*"

    def _start(self) -> Any:
        mode, why = _mode(self._mode)
        if mode == "online":
            try:
                run = self._init(mode)
            except Error as error:
                wandb.teardown()  # otherwise the ID counts as in use
                mode = "offline"
                why = " ".join(str(error).split())
            else:
                screen.say(f"W&B: {run.url}")
                self.pages = {"W&B": run.url}
                return run
        if mode == "offline":
            screen.say(f"W&B: offline ({why}); to upload: {self._sync()}")
        try:
            return self._init(mode)
        except Error as error:
            raise Problem(f"logger.wandb: {' '.join(str(error).split())}") from error

    def _init(self, mode: str) -> Any:
        # Without a server, wandb's own telemetry would print errors and delay the exit.
        os.environ.setdefault("OTEL_SDK_DISABLED", "true")
        settings = wandb.Settings(
            mode=mode,  # pyright: ignore[reportArgumentType] - one of its literals
            console="off",
            silent=True,
            init_timeout=START_PATIENCE,
            finish_timeout=UPLOAD_PATIENCE,
            finish_timeout_raises=True,
            git_root=_git_root(),
        )
        init = self._wandb_init
        if id_from_agent():  # which also says where the run belongs, and W&B warns about what it ignores
            init = init | dict.fromkeys(("project", "entity", "id"))
        return wandb.init(**init, settings=settings)


def id_from_agent() -> str | None:
    """The ID of this run if `wandb agent` started it, as a trial of a sweep."""
    return os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else None


def _mode(wanted: str) -> tuple[str, str]:
    """The mode, `online`, `offline` or `disabled`, and the reason for it."""
    asked = os.environ.get("WANDB_MODE", "").lower()
    if asked in ASIDE:
        return ASIDE[asked], f"WANDB_MODE={asked}"
    if wanted == "offline":
        return "offline", "logger.wandb.mode=offline"
    server = str(wandb.setup(wandb.Settings(silent=True)).settings.base_url)
    if not _logged_in(server):
        return "offline", "not logged in: `wandb login` once"
    if not answers(server, PATIENCE):
        return "offline", f"{server} does not answer"
    return "online", ""


def _logged_in(server: str) -> bool:
    return bool(os.environ.get("WANDB_API_KEY") or wbauth.read_netrc_auth(host=server))


def _git_root() -> str | None:
    """The checkout of this code: W&B records its commit and uncommitted changes."""
    return next((str(folder) for folder in Path(__file__).parents if (folder / ".git").exists()), None)
