"""W&B offline is read back from disk; an unreachable, slow or refusing server never stops a run."""

import http.server
import io
import json
import re
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import wandb
from lightning import Trainer
from PIL import Image
from rich.console import Console

from imagelab.logger import wandb as module
from imagelab.logger.closing import close_all
from imagelab.logger.pictures import AugmentedPictures
from imagelab.logger.wandb import wandb_logger
from imagelab.problem import Problem
from imagelab.runs.files import write_config
from imagelab.runs.provenance import git_state
from imagelab.terminal import screen
from imagelab.terminal.summary import closing_table
from imagelab.training import attempt as attempt_module
from imagelab.training.attempt import Attempt
from tests.wandb_on_disk import make, records

KEY = "a" * 40
WORDS: Any = {"entity": None, "name": None, "artifacts": True}


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine that is not logged in."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "netrc").touch()
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "settings"))
    wandb.teardown()
    yield monkeypatch
    wandb.teardown()


@pytest.fixture
def messages(monkeypatch):
    lines = []
    monkeypatch.setattr(screen, "say", lambda *what: lines.extend(map(str, what)))
    return lines


@pytest.fixture
def server():
    """Starts servers that answer HEAD, and everything else with the given status after a pause."""
    started = []

    def start(status=200, pause=0.0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                time.sleep(pause)
                self.send_response(200)
                self.end_headers()

            def do_POST(self):
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        started.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=started[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{started[-1].server_port}"

    yield start
    for one in started:
        one.shutdown()


def history(found):
    """The logged rows: {name: value}."""
    return [
        {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        for record in found
        if record.WhichOneof("record_type") == "history"
    ]


def test_an_offline_run_read_back_has_config_code_version_metrics_rates_and_pictures(
    tmp_path, messages, preprocess, captions, pixels, batch
):
    logger = make(tmp_path / "run")
    logger.log_hyperparams({"seed": 3, "optimizer": {"lr": 0.5}})
    trainer = Trainer(accelerator="cpu", logger=logger, enable_progress_bar=False, enable_checkpointing=False)
    pictures = AugmentedPictures(preprocess=preprocess, captions=captions, folder=tmp_path / "run")
    pictures.on_train_batch_end(trainer, None, None, batch, 0)  # type: ignore[arg-type]
    for step, rate in enumerate([0.1, 0.5, 0.25], start=1):
        logger.log_metrics({"epoch": 0, "train/loss": 1 / step, "lr/weights": rate}, step=step)
    logger.log_metrics({"epoch": 0, "val/accuracy": 0.875}, step=3)
    close_all([logger], failed=False)

    found = records(tmp_path / "run")
    run = next(r.run for r in found if r.WhichOneof("record_type") == "run")
    assert (run.project, run.display_name, run.run_group) == ("birds", "run", "fold")
    assert list(run.tags) == ["quick"]

    config = {}
    for record in found:
        for part in (record.run.config, record.config):
            config |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in part.update}
    assert config["seed"] == 3
    assert config["optimizer"] == {"lr": 0.5}
    assert config["git"] == git_state()

    assert next(r.exit.exit_code for r in found if r.WhichOneof("record_type") == "exit") == 0

    rows = history(found)
    rates = [(row["trainer/global_step"], row["lr/weights"]) for row in rows if "lr/weights" in row]
    assert rates == [(1, 0.1), (2, 0.5), (3, 0.25)]
    assert [row["train/loss"] for row in rows if "train/loss" in row] == [1.0, 0.5, 1 / 3]
    assert [row["val/accuracy"] for row in rows if "val/accuracy" in row] == [0.875]

    shown = next(row for row in rows if "images/augmented.captions" in row)
    assert shown["images/augmented.captions"] == ["ant", "0.75 bee + 0.25 ant", "bee", "ant"]
    names = shown["images/augmented.filenames"]
    files = [next(tmp_path.glob(f"run/wandb/offline-run-*/files/{name}")) for name in names]
    assert [np.asarray(Image.open(file)).max() for file in files] == pixels[:, 0, 0, 0].tolist()


def test_the_best_checkpoint_and_the_decisions_are_kept_as_artifacts(tmp_path, messages):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"weights")
    (tmp_path / "decisions.csv").write_text("file,decision\n")
    write_config({"data": {"decisions": str(tmp_path / "decisions.csv")}}, folder)
    logger = make(folder)
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.close()
    sent = [r.artifact for r in records(folder) if r.WhichOneof("record_type") == "artifact"]
    found = {(one.type, entry.path) for one in sent for entry in one.manifest.contents}
    assert found == {("model", "best.ckpt"), ("decisions", "decisions.csv")}


def test_not_logged_in_it_is_offline_with_one_line_that_says_how_to_sync(tmp_path, messages, capfd):
    logger = make(tmp_path / "run")
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.close()
    assert messages == [
        f"W&B: offline (not logged in: `wandb login` once); to upload: wandb sync {tmp_path}/run/wandb/*run-*"
    ]
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
    assert len(list(tmp_path.glob("run/wandb/*run-*"))) == 1


def test_a_resumed_run_keeps_its_id_and_another_folder_has_another(tmp_path, messages):
    for folder in ("other", "run", "run"):
        logger = make(tmp_path / folder)
        logger.log_metrics({"loss": 1.0}, step=0)
        logger.close()
        if folder == "run":
            time.sleep(1.1)  # W&B names the folder of a run by the second
    first, resumed = (r.run.run_id for r in records(tmp_path / "run") if r.WhichOneof("record_type") == "run")
    other = next(r.run.run_id for r in records(tmp_path / "other") if r.WhichOneof("record_type") == "run")
    assert first == resumed != other


def test_with_a_key_and_no_server_it_is_offline_within_seconds(tmp_path, messages, machine):
    machine.setenv("WANDB_API_KEY", KEY)
    machine.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    start = time.monotonic()
    logger = make(tmp_path / "run")
    logger.log_metrics({"loss": 1.0}, step=0)
    assert time.monotonic() - start < module.START_PATIENCE  # W&B alone tries for 90 s
    logger.close()
    assert messages[0].startswith("W&B: offline (http://127.0.0.1:9 does not answer); to upload: wandb sync ")
    assert [row["loss"] for row in history(records(tmp_path / "run"))] == [1.0]


def test_a_server_that_hangs_counts_as_unreachable(tmp_path, messages, machine, server):
    machine.setattr(module, "PATIENCE", 0.2)
    machine.setenv("WANDB_API_KEY", KEY)
    machine.setenv("WANDB_BASE_URL", server(pause=5))
    logger = make(tmp_path / "run")
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.close()
    assert "does not answer" in messages[0]


def test_a_server_that_refuses_the_key_leaves_the_run_offline(tmp_path, messages, machine, server):
    machine.setenv("WANDB_API_KEY", KEY)
    machine.setenv("WANDB_BASE_URL", server(status=401))
    logger = make(tmp_path / "run")
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.close()
    assert len(messages) == 1
    assert "W&B: offline (" in messages[0]
    assert "401" in messages[0]
    assert [row["loss"] for row in history(records(tmp_path / "run"))] == [1.0]


def test_logged_in_with_a_server_that_answers_it_is_online(machine, server):
    machine.setenv("WANDB_API_KEY", KEY)
    machine.setenv("WANDB_BASE_URL", server())
    assert module._mode("auto") == ("online", "")
    assert module._mode("offline")[0] == "offline"
    machine.setenv("WANDB_MODE", "disabled")
    assert module._mode("auto")[0] == "disabled"
    machine.setenv("WANDB_MODE", "offline")
    assert module._mode("auto") == ("offline", "WANDB_MODE=offline")


def test_an_error_while_logging_is_shown_once_and_training_continues(tmp_path, messages, machine):
    logger = make(tmp_path / "run")
    logger.log_metrics({"loss": 1.0}, step=0)

    def fail(*_):
        raise ConnectionResetError("Connection lost")

    machine.setattr(logger.experiment, "log", fail)
    for step in range(3):
        logger.log_metrics({"loss": 1.0}, step=step)
    logger.close()
    assert len(messages) == 2
    assert messages[1].startswith("W&B: gave up (ConnectionResetError: Connection lost); to upload")


def test_the_page_of_an_online_run_is_in_the_closing_lines(tmp_path, messages, machine):
    logger = make(tmp_path / "run")
    machine.setattr(module, "_mode", lambda _: ("online", ""))
    done = {name: lambda *_, **__: None for name in ("define_metric", "finish")}
    run = SimpleNamespace(url="https://wandb.ai/me/birds/runs/1", **done)
    machine.setattr(logger, "_init", lambda _: run)
    assert logger.experiment is run
    assert close_all([logger], failed=False) == {"W&B": run.url}
    attempt = Attempt({}, tmp_path / "run", None)
    attempt.parts = SimpleNamespace(trainer=SimpleNamespace(loggers=[logger]))
    machine.setattr(attempt_module, "results", lambda *_: {})
    attempt.close("finished")
    said = io.StringIO()
    results = {"status": "finished", "generates": False, "predicts": "classes"}
    Console(file=said, width=100).print(closing_table(results, tmp_path / "run", attempt.messages))
    assert "W&B         https://wandb.ai/me/birds/runs/1\n" in re.sub(" +\n", "\n", said.getvalue())


@pytest.mark.parametrize("failed", [False, True])
def test_a_failed_run_is_closed_as_one(tmp_path, messages, failed):
    logger, ends = make(tmp_path / "run", mode="offline"), []
    logger._experiment = SimpleNamespace(finish=lambda exit_code: ends.append(exit_code))
    close_all([logger], failed=failed)
    assert ends == [int(failed)]


def test_an_argument_that_wandb_refuses_is_one_sentence(tmp_path, messages):
    logger = wandb_logger(**WORDS, project="birds/2", tags=[], group=None, mode="auto", folder=tmp_path)
    with pytest.raises(Problem, match=r"logger\.wandb: .*birds/2"):
        logger.log_hyperparams({"seed": 1})


def test_a_run_left_open_by_an_error_does_not_swallow_the_next_one(tmp_path, messages):
    make(tmp_path / "crashed").log_metrics({"loss": 1.0}, step=0)
    logger = make(tmp_path / "next")
    logger.log_metrics({"loss": 2.0}, step=0)
    logger.close()
    assert [row["loss"] for row in history(records(tmp_path / "crashed"))] == [1.0]
    assert [row["loss"] for row in history(records(tmp_path / "next"))] == [2.0]
