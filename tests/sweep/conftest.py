"""What tests of launchers share."""

import sys

import pytest

from tests.sweep.made import finished

# Stands in for `imagelab train`: the folder and the seed are among the words.
TRIAL = """
import json, os, pathlib, signal, sys, time
words = dict(word.split("=", 1) for word in sys.argv[1:])
folder, seed = pathlib.Path(words["hydra.run.dir"]), int(words["seed"])
if seed == 1:
    os.kill(os.getpid(), signal.SIGKILL)
if seed == 2:
    print("This run cannot start:\\n  data.root: /nowhere does not exist")
    sys.exit(2)
folder.mkdir()
(folder / "config.yaml").write_text("seed: 0")
(folder / "at.json").write_text(json.dumps([time.time(), os.environ.get("OMP_NUM_THREADS")]))
if seed > 2:  # waits for the others that shall run at the same time
    end = time.time() + 60
    while len(list(folder.parent.glob("[3-5]/at.json"))) < 3 and time.time() < end:
        time.sleep(0.02)
(folder / "results.json").write_text(json.dumps(RESULTS))
"""


@pytest.fixture
def made_processes(monkeypatch, tmp_path):
    """Trials of launchers are processes that train nothing."""
    file = tmp_path / "trial.py"
    file.write_text(TRIAL.replace("RESULTS", repr(finished(0.5))))

    def command(trial):
        return [sys.executable, "-S", str(file), *trial.words, f"hydra.run.dir={trial.folder}"]

    monkeypatch.setattr("imagelab.sweep.joblib.command", command)  # room: launcher/joblib
    monkeypatch.setattr("imagelab.sweep.slurm.command", command)  # room: launcher/slurm
    monkeypatch.delenv("OMP_NUM_THREADS")
