"""MLflow: params, curves and pictures lie in the run's folder; a resumed run is the same run."""

import time
from pathlib import Path
from urllib.parse import urlparse

import pytest
from lightning import Trainer

from imagelab.logger import mlflow as module
from imagelab.logger.closing import close_all
from imagelab.logger.mlflow import mlflow_logger
from imagelab.logger.pictures import AugmentedPictures
from imagelab.problem import Problem


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def make(folder, uri=None, model=None):
    return mlflow_logger(experiment="birds", uri=uri, model=model, folder=folder)


def test_params_curves_and_pictures_are_read_back_from_the_folder(tmp_path, preprocess, captions, batch):
    pytest.importorskip("mlflow", reason="needs imagelab[mlflow]")
    logger = make(tmp_path)
    logger.log_hyperparams({"optimizer": {"lr": 0.5}})
    trainer = Trainer(accelerator="cpu", logger=logger, enable_progress_bar=False, enable_checkpointing=False)
    pictures = AugmentedPictures(preprocess=preprocess, captions=captions, folder=tmp_path)
    pictures.on_train_batch_end(trainer, None, None, batch, 0)  # type: ignore[arg-type]
    logger.log_metrics({"epoch": 0, "lr/weights": 0.5}, step=1)
    logger.finalize("success")

    resumed = make(tmp_path)
    resumed.log_metrics({"epoch": 0, "lr/weights": 0.5}, step=1)  # repeated since the checkpoint was older
    resumed.log_metrics({"epoch": 0, "lr/weights": 0.25}, step=2)
    assert resumed.run_id == logger.run_id
    resumed.log_metrics({"test/accuracy": 0.75}, step=2)
    close_all([resumed], failed=True)
    client, run_id = resumed.experiment, str(resumed.run_id)
    run = client.get_run(run_id)
    assert run.data.params == {"optimizer/lr": "0.5"}
    assert run.data.metrics["test/accuracy"] == 0.75
    assert run.info.status == "FAILED"
    assert run.info.run_name == tmp_path.name
    curve = client.get_metric_history(run_id, "lr/weights")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.25)]
    assert [file.path for file in client.list_artifacts(run_id, "images")] == ["images/augmented.png"]
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow", "images"}


def test_two_folders_are_two_runs(tmp_path):
    pytest.importorskip("mlflow", reason="needs imagelab[mlflow]")
    uri = (tmp_path / "shared").as_uri()
    first, second = make(tmp_path / "a", uri), make(tmp_path / "b", uri)
    assert first.run_id != second.run_id
    assert first.experiment_id == second.experiment_id
    assert make(tmp_path / "a", uri).run_id == first.run_id


def test_the_best_checkpoint_becomes_the_next_version_of_a_registered_model(tmp_path, capsys):
    pytest.importorskip("mlflow", reason="needs imagelab[mlflow]")
    uri, ended = (tmp_path / "shared").as_uri(), []
    for name, failed in (("a", False), ("b", True), ("c", False)):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        (tmp_path / name / "checkpoints" / "best.ckpt").write_bytes(name.encode())
        ended.append(make(tmp_path / name, uri, "birds"))
        ended[-1].log_metrics({"test/accuracy": 0.5}, step=1)
        close_all([ended[-1]], failed=failed)
    client = ended[0].experiment
    versions = sorted(client.search_model_versions("name='birds'"), key=lambda one: int(one.version))
    assert [one.run_id for one in versions] == [ended[0].run_id, ended[2].run_id]
    kept = [Path(urlparse(one.source).path) / "best.ckpt" for one in versions]
    assert [file.read_bytes() for file in kept] == [b"a", b"c"]
    assert "MLflow: registered as version 2 of birds" in capsys.readouterr().out
    assert client.get_run(str(ended[1].run_id)).info.status == "FAILED"


def test_a_registry_that_does_not_work_does_not_fail_the_run(tmp_path, capsys):
    pytest.importorskip("mlflow", reason="needs imagelab[mlflow]")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"a")
    logger = make(tmp_path, model="not/a/name")
    close_all([logger], failed=False)
    assert "MLflow: did not register not/a/name" in capsys.readouterr().out
    assert logger.experiment.get_run(str(logger.run_id)).info.status == "FINISHED"


def test_a_tracking_uri_that_cannot_work_is_one_sentence(tmp_path):
    pytest.importorskip("mlflow", reason="needs imagelab[mlflow]")
    with pytest.raises(Problem, match=r"logger\.mlflow\.uri=nonsense://x does not work"):
        make(tmp_path, "nonsense://x")


def test_an_unreachable_server_is_one_sentence_within_seconds(tmp_path):
    pytest.importorskip("mlflow", reason="needs imagelab[mlflow]")
    start = time.monotonic()
    with pytest.raises(Problem, match=r"logger\.mlflow\.uri: http://127\.0\.0\.1:9 does not answer"):
        make(tmp_path, "http://127.0.0.1:9")
    assert time.monotonic() - start < 60  # MLflow alone tries for minutes


def test_without_the_package_the_command_to_install_it_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(Problem, match=r"needs the package mlflow.*uv pip install 'imagelab\[mlflow\]'"):
        make(tmp_path)
