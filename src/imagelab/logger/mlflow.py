"""Log to MLflow: to files in the run's folder, or to a tracking server.

Source: https://lightning.ai/docs/pytorch/stable/extensions/generated/lightning.pytorch.loggers.MLFlowLogger.html
"""

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger
from lightning.pytorch.utilities import rank_zero_only

from imagelab.checkpoints.durable import BEST
from imagelab.logger.identity import run_id
from imagelab.logger.reach import answers
from imagelab.logger.written_once import MLFlowOnce, Records
from imagelab.problem import Problem, first_line
from imagelab.terminal import screen

TAG = "imagelab.run"
MODEL = "model"  # folder of the checkpoint among the artifacts of the run
PATIENCE = 5.0  # seconds for the server's first answer


def mlflow_logger(*, experiment: str, uri: str | None, model: str | None, folder: Path) -> MLFlowLogger:
    """Make a logger for an MLflow run named after the run's folder; a resumed run continues it.

    Args:
        experiment: Name of the MLflow experiment.
        uri: Address of the tracking server; null: MLFLOW_TRACKING_URI, otherwise files in `<folder>/mlflow`.
        model: Name of a model in MLflow's registry: the best checkpoint becomes its next version at the end
            of the run; null: it is not registered.
        folder: Folder of the run.
    """
    if find_spec("mlflow") is None:
        raise Problem(
            "logger=[mlflow] needs the package mlflow, which is not installed: "
            "uv pip install 'imagelab[mlflow]' (or: pip install mlflow-skinny)"
        )
    # A new experiment is no reason to warn.
    logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or (folder.absolute() / "mlflow").as_uri()
    if uri.startswith("file:"):
        # MLflow requires this setting to use files instead of a database.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    elif uri.startswith("http") and not answers(uri, PATIENCE):
        raise Problem(
            f"logger.mlflow.uri: {uri} does not answer; start the server, or log to files with uri=null"
        )
    mine = run_id(folder / "mlflow")
    earlier = _earlier(uri, experiment, mine)
    return _MLFlow(
        model=model,
        checkpoint=folder / "checkpoints" / BEST,
        written=_written(uri, earlier) if earlier else set(),
        experiment_name=experiment,
        tracking_uri=uri,
        run_name=folder.name,
        run_id=earlier,
        tags={TAG: mine},
    )


class _MLFlow(MLFlowOnce):
    """The logger, which registers the best checkpoint when the run has ended.

    Args:
        model: Name of the model in the registry; None: none.
        checkpoint: The best checkpoint.
        more: Arguments of `MLFlowOnce`.
    """

    def __init__(self, *, model: str | None, checkpoint: Path, **more: Any) -> None:
        super().__init__(**more)
        self.model, self.checkpoint = model, checkpoint

    @rank_zero_only
    def close(self, *, failed: bool) -> None:
        """End the run on the server; before that, register its best checkpoint, unless the run failed."""
        if self.model and not failed and self.checkpoint.is_file():
            try:
                version = self._registered(self.model)
                screen.say(f"MLflow: registered as version {version.version} of {self.model}")
            except Exception as error:  # of its client, its transport or the disk: the run has ended well
                screen.say(
                    f"MLflow: did not register {self.model} ({type(error).__name__}: {first_line(error)})"
                )
        self.finalize("failed" if failed else "success")

    def _registered(self, name: str) -> Any:
        """Upload the checkpoint, and make it the next version of a model, which is made if there is none."""
        from mlflow.exceptions import MlflowException

        client = self.experiment
        run = str(self.run_id)
        client.log_artifact(run, str(self.checkpoint), MODEL)
        try:
            client.get_registered_model(name)
        except MlflowException:
            client.create_registered_model(name)
        source = f"{client.get_run(run).info.artifact_uri}/{MODEL}"
        return client.create_model_version(name, source, run_id=run, tags={"file": self.checkpoint.name})


def _written(uri: str, run: str) -> Records:
    """The records of an MLflow run."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    names = client.get_run(run).data.metrics
    return {(name, point.step) for name in names for point in client.get_metric_history(run, name)}


def _earlier(uri: str, experiment: str, mine: str) -> str | None:
    """MLflow's ID of the run with our tag, if an earlier attempt made one."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        client = MlflowClient(uri)
        known = client.get_experiment_by_name(experiment)
        runs = client.search_runs([known.experiment_id], f"tags.`{TAG}` = '{mine}'") if known else []
    except MlflowException as error:
        raise Problem(f"logger.mlflow.uri={uri} does not work: {' '.join(str(error).split())}") from error
    return runs[0].info.run_id if runs else None
