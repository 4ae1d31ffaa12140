"""Values: standardised inside, in their units outside; the losses; one network through the commands."""

import csv
import json

import numpy as np
import pytest
import torch
from torch import nn

import imagelab
from imagelab.build import build_data
from imagelab.config.compose import compose
from imagelab.config.make import make
from imagelab.config.validate import problems
from imagelab.contracts import Inputs
from imagelab.model.head import last_layer
from imagelab.problem import Problem
from imagelab.randomness import stream
from imagelab.runs.files import read_config
from imagelab.task.regress import Regress
from tests import in_process
from tests.fitting import SHORT, built

WORDS = [*SHORT, "task=regress", "loss=mse", "data=digits_facts"]
VALUES = np.array([[40.0, -1.0], [50.0, 0.0], [60.0, 1.0]], dtype=np.float32)


def regress(loss=None, labels=VALUES) -> Regress:
    return Regress(loss=loss or nn.MSELoss(), classes=["size", "tilt"], labels=labels)


def test_an_output_of_0_is_the_mean_and_one_of_1_a_deviation_more():
    task = regress()
    found = task.predictions(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    wanted = np.stack([VALUES.mean(0), VALUES.mean(0) + VALUES.std(0)])
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert found[0, 0] == 50
    outputs = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(task.as_outputs(task.predictions(outputs)), outputs)


@pytest.mark.parametrize(
    ("loss", "cost"),
    [(nn.MSELoss(), 4.0), (nn.L1Loss(), 2.0), (nn.HuberLoss(delta=1.0), 1.5)],
)
def test_losses_are_of_errors_in_standard_deviations(loss, cost):
    task = regress(loss)
    values = torch.from_numpy(VALUES)
    batch = Inputs(images=values, targets=values, labels=values, index=torch.arange(3))
    off = task.as_outputs(values) + 2
    assert float(task.loss(lambda images: off, batch)) == pytest.approx(cost, rel=1e-5)
    assert float(task.metrics(off, values)["loss"]) == pytest.approx(cost, rel=1e-5)
    assert float(task.metrics(off, values)["mae"]) == pytest.approx(2 * VALUES.std(0).mean(), rel=1e-5)


def test_large_values_keep_their_digits_in_half_precision():
    years = np.array([[1998.0], [1999.0], [2001.0]], dtype=np.float32)
    task = Regress(loss=nn.L1Loss(), classes=["year"], labels=years)
    wanted = torch.from_numpy(years)
    batch = Inputs(images=wanted, targets=wanted, labels=wanted, index=torch.arange(3))
    exact = task.as_outputs(wanted).bfloat16()
    assert float(task.loss(lambda images: exact, batch)) < 0.005  # 1998 itself would be 2000


def test_the_head_of_a_run_starts_at_the_mean_of_the_training_values(tmp_path):
    parts = built(WORDS, tmp_path)
    bias = last_layer(parts.classifier.net)[1].bias
    values = parts.data.splits["train"].labels
    first = parts.classifier.task.predictions(bias[None])[0].detach()
    np.testing.assert_allclose(first, values.mean(0), rtol=1e-5)


@pytest.mark.parametrize("name", ["mixup", "cutmix", "copy_paste"])
def test_mixed_images_have_the_shares_of_their_values(name):
    cfg = compose("train", [f"augment=[{name}]"]).cfg
    assert cfg is not None
    values = torch.arange(8.0)[:, None]
    labels = Regress.targets(values, classes=1, mixed=True)
    images = values[:, :, None, None].expand(8, 1, 16, 16)  # each image is as bright as its value
    mixed, targets = make(cfg["augment"][name] | {"p": 1.0}).mix(images, labels, stream(0, "test"))
    assert not torch.equal(targets, values)
    torch.testing.assert_close(mixed.mean(dim=(2, 3)), targets)


def test_a_value_that_is_always_the_same_is_refused():
    with pytest.raises(Problem, match="tilt is 7 for all 3 training images; leave it out"):
        regress(labels=np.array([[1, 7], [2, 7], [3, 7]], dtype=np.float32))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["task=regress", "loss=cross_entropy"],
            "task=regress predicts values; set loss=huber or loss=l1 or loss=mse",
        ),
        (["loss=mse"], "MSELoss is for a task that predicts values, and task=classify predicts classes"),
        (["task=regress", "loss=mse", "trick=[head_bias]"], "trick.head_bias: needs a task that predicts"),
        (["task=regress", "loss=huber", "loss.delta=0"], "loss.delta: wants a number above 0, got 0"),
    ],
)
def test_what_does_not_fit_values_is_refused_before_the_run(words, said):
    cfg = compose("train", words).cfg
    assert cfg is not None
    assert said in "\n".join(problems(cfg))


def test_data_with_classes_are_refused_in_a_sentence():
    cfg = compose("train", ["task=regress", "loss=mse", "data=digits"]).cfg
    assert cfg is not None
    with pytest.raises(Problem, match="task=regress takes values, and the labels of train are one class per"):
        build_data(cfg)


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """A cross-validation: runs on other images, so that means and deviations differ."""
    folder = tmp_path_factory.mktemp("values")
    words = ["sweep=kfold", "data.folds=2", *WORDS, "trainer.max_epochs=4", "data.limit=600"]
    said = in_process.imagelab("train", "-m", *words, f"hydra.sweep.dir={folder}", folder=folder)
    assert said.status == 0, said
    return folder


@pytest.fixture(scope="module")
def runs(folds):
    return [folds / "0", folds / "1"]


def test_all_folds_together_have_the_metrics_of_their_predictions(folds):  # room: sweep
    with (folds / "out_of_fold.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    true = np.array([[float(cell) for cell in row["label"].split()] for row in rows])
    predicted = np.array([[float(row[name]) for name in ("ink", "slant")] for row in rows])
    explained = 1 - np.square(true - predicted).sum(0) / np.square(true - true.mean(0)).sum(0)
    found = {one["name"]: one["value"] for one in json.loads((folds / "kfold.json").read_text())}
    assert found["out-of-fold r2"] == {"r2": pytest.approx(explained.mean(), abs=1e-3), "images": 600}


def test_metrics_and_predictions_are_in_the_units_of_the_data(runs):
    results = json.loads((runs[0] / "results.json").read_text())
    assert results["best"]["monitor"] == "val/r2"
    assert set(results["test"]) == {"loss", "r2", "mae", "rmse"}
    images = build_data(read_config(runs[0])).splits["test"]
    predicted = imagelab.load(runs[0])(images.images).numpy()
    assert np.abs(predicted - images.labels).mean() == pytest.approx(results["test"]["mae"], rel=1e-4)
    assert results["test"]["r2"] > 0.3


def test_members_are_averaged_in_units_each_by_its_own_mean(runs, tmp_path):
    words = [f"run=[{runs[0]},{runs[1]}]", "predictions=true", f"output={tmp_path}"]
    assert in_process.imagelab("evaluate", *words, folder=tmp_path).status == 0
    images = build_data(read_config(runs[0])).splits["test"]
    nets = [imagelab.load(run) for run in runs]
    assert not torch.equal(nets[0].task.mean, nets[1].task.mean)
    mean = np.mean([net(images.images).numpy() for net in nets], axis=0)
    found = json.loads((tmp_path / "evaluation.json").read_text())["metrics"]
    assert np.abs(mean - images.labels).mean() == pytest.approx(found["mae"], rel=1e-4)
    with (tmp_path / "evaluation.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["ink"]) for row in rows] == pytest.approx(mean[:, 0].tolist(), abs=1e-4)


def test_an_exported_file_has_the_mean_and_deviation(runs, tmp_path):  # room: exporting
    file = tmp_path / "net.safetensors"
    words = [f"run={runs[0]}", "format=safetensors", f"output={file}"]
    assert in_process.imagelab("export", *words, folder=tmp_path).status == 0
    images = build_data(read_config(runs[0])).splits["test"].images[:4]
    torch.testing.assert_close(imagelab.load(file)(images), imagelab.load(runs[0])(images))


def test_the_report_says_how_far_off_each_value_is(runs):  # room: reports
    found = {one["name"]: one["value"] for one in json.loads((runs[0] / "report.json").read_text())}
    with (runs[0] / "val_predictions.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    off = [abs(float(row["error_ink"])) for row in rows]
    assert found["errors of ink on val"]["mae"] == pytest.approx(np.mean(off), rel=1e-3)
    assert found["errors of slant on val"]["mae_of_mean"] > found["errors of slant on val"]["mae"]
    page = (runs[0] / "report.html").read_text()
    assert ">Worst images</h2>" in page
    assert "Predicted slant" in page
