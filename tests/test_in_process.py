import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imagelab
from imagelab import in_process  # noqa: F401 - imports now what sets environment variables when imported
from imagelab.problem import Problem

ROOT = Path(__file__).parents[1]
SHORT = ("trainer=cpu", "trainer.max_epochs=1", "data.limit=200")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    before = dict(os.environ), signal.getsignal(signal.SIGTERM)
    found = imagelab.train(*SHORT, f"hydra.run.dir={tmp_path_factory.mktemp('python') / 'run'}")
    assert (dict(os.environ), signal.getsignal(signal.SIGTERM)) == before
    return found


def test_a_run_is_where_it_was_asked_for_and_has_the_results_of_its_file(run):
    assert run.folder.name == "run"
    assert run.results["status"] == "finished"
    assert run.results["epochs"] == 1
    assert 0 < run.results["test"]["accuracy"] <= 1


def test_its_predictor_and_the_command_predict_agree(run, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    (line,) = imagelab.predict(f"run={run.folder}", f"source={tmp_path / 'one.png'}")
    (expected,) = run.predictor.images([pixels])
    assert line["class"] == run.predictor.classes[int(expected.argmax())]
    assert float(line[line["class"]]) == pytest.approx(float(expected.max()), abs=1e-5)


def test_evaluating_it_gives_the_metrics_of_its_test(run):
    measured = imagelab.evaluate(f"run={run.folder}")
    assert measured["metrics"]["accuracy"] == run.results["test"]["accuracy"]


def test_words_that_are_wrong_raise_the_sentence_of_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Problem, match="did you mean 'adam'"):
        imagelab.train("optimizer=adamm")
    with pytest.raises(Problem, match=r"-m: is for the command line"):
        imagelab.train("-m", "seed=0,1")
    assert not list(tmp_path.rglob("*.yaml"))


def test_importing_the_package_does_not_import_torch():
    code = "import sys, imagelab; imagelab.train; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_tour_runs_and_its_network_knows_the_first_digits(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cells = json.loads((ROOT / "docs" / "tour.ipynb").read_text())["cells"]
    known: dict = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), known)
    said = capsys.readouterr().out
    assert "['0', '1', '2', '3', '4']" in said
    assert [
        line["class"]
        for line in known["imagelab"].predict(f"run={known['run'].folder}", f"source={known['folder']}")
    ] == list("01234")
    assert "optimizer.learning_rate: " in said
    assert (known["run"].folder / "report.html").is_file()
