"""Running a network in the middle of its training does not change a bit of the run."""

import csv
import shutil
from pathlib import Path

import pytest
import torch

from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.training.preserve import preserve_state
from tests.runs_of_the_command import finish
from tests.trick.watching import assert_same_bits, watched

ALL = "prediction_dynamics,activation_stats,gradient_noise_scale,first_layer"
OFTEN = [
    "trick.prediction_dynamics.every=1",
    "trick.activation_stats.every=1",
    "trick.gradient_noise_scale.every=1",
    "trick.gradient_noise_scale.start=0",
    "trick.first_layer.every=1",
]
SETTINGS = {
    "plain": [],
    "drawing": ["augment=[flip,mixup]", "model.dropout=0.3", "trainer.accumulate_grad_batches=3"],
    "half": ["trainer.precision=bf16-mixed", "model.pool=fractional_max"],
}
TOGETHER = {"plain": "trick=[]", "drawing": "trick=[ema,dropconnect,l1]", "half": "trick=[agc,batch_growth]"}
FILES = ("prediction_dynamics.csv", "images/prediction_dynamics.svg", "images/activation_stats.svg")
PICTURES = ("images/first_layer_init.png", "images/first_layer_end.png")


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_watched_run_is_bit_identical_to_an_unwatched_one(setting, tmp_path):
    words = ["trainer.max_epochs=2", *SETTINGS[setting]]
    others = TOGETHER[setting]
    plain = watched([*words, others], tmp_path / "plain")
    watching = f"{others[:-1]},{ALL}]".replace("[,", "[")
    seen = watched([*words, watching, *OFTEN], tmp_path / "seen")
    assert_same_bits(plain, seen)
    assert all((tmp_path / "seen" / name).stat().st_size > 100 for name in FILES + PICTURES)
    assert plain.classifier.history == seen.classifier.history


def test_frozen_stages_stay_frozen_while_being_watched(tmp_path):
    start = watched(["trainer.max_epochs=1"], tmp_path / "start")
    start.trainer.save_checkpoint(tmp_path / "start.ckpt")
    words = ["finetune=gradual", f"model.weights={tmp_path / 'start.ckpt'}", "trainer.max_epochs=2"]
    plain, seen = (
        watched(words, tmp_path / "plain"),
        watched([*words, f"trick=[{ALL}]", *OFTEN], tmp_path / "seen"),
    )
    assert_same_bits(plain, seen)


def test_a_run_resumed_within_an_epoch_writes_the_same_files(tmp_path):
    words = [f"trick=[{ALL}]", *OFTEN, "trainer.max_epochs=2", "model.dropout=0.2"]
    whole = watched(words, tmp_path / "whole", copy_at=3)
    stopped = tmp_path / "stopped"
    shutil.copytree(tmp_path / "whole", stopped)  # as a run killed later leaves it: more than it remembers
    (stopped / "prediction_dynamics.csv").open("a").write("9,1,2")
    for name in FILES[1:] + PICTURES[1:]:
        (stopped / name).unlink()
    again = watched(words, stopped, go_on=tmp_path / "whole" / "copy.ckpt")
    assert_same_bits(whole, again)
    for name in FILES + PICTURES:
        assert (stopped / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    rows = [list(csv.DictReader((tmp_path / run / "metrics.csv").open())) for run in ("whole", "stopped")]
    last = [{name: value for row in run for name, value in row.items() if value} for run in rows]
    assert last[0] == last[1]


def test_runs_on_features_are_watched_too(tmp_path):
    start = watched(["trainer.max_epochs=1"], tmp_path / "start")
    start.trainer.save_checkpoint(tmp_path / "start.ckpt")
    words = ["finetune=linear_probe", f"model.weights={tmp_path / 'start.ckpt'}", "trainer.max_epochs=1"]
    seen = watched([*words, f"trick=[{ALL}]", *OFTEN], tmp_path / "seen")
    assert_same_bits(watched(words, tmp_path / "plain"), seen)
    rows = list(csv.DictReader((tmp_path / "seen" / "metrics.csv").open()))
    assert {row["first_layer/change"] for row in rows} == {"", "0.0"}
    values = [float(row["prediction/probability"]) for row in rows if row["prediction/probability"]]
    assert values[-1] > values[0]


def test_modes_buffers_and_random_state_are_restored(tmp_path):
    module = watched(["trainer.max_epochs=1"], tmp_path).classifier
    module.train()
    module.net.features[1].eval()
    modes = [one.training for one in module.modules()]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    draws = torch.random.get_rng_state()
    with preserve_state(module):
        module.net.train()
        module(torch.rand(8, 1, 8, 8))
        assert not torch.equal(module.net.features[1].running_mean, before["net.features.1.running_mean"])
        torch.rand(3)
    assert [one.training for one in module.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(draws, torch.random.get_rng_state())


@pytest.mark.slow
def test_two_processes_watch_without_waiting_for_each_other(tmp_path):
    words = ["trainer=ddp_cpu", "trainer.max_epochs=2", "data.limit=400", "trainer.sync_batchnorm=true"]
    for name, more in {"plain": [], "seen": [f"trick=[{ALL}]", *OFTEN]}.items():
        finish([*words, *more, f"hydra.run.dir={tmp_path / name}"], tmp_path)
    plain, seen = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("plain", "seen")
    )
    assert all(torch.equal(value, seen[name]) for name, value in plain.items())
    assert all((tmp_path / "seen" / name).exists() for name in FILES + PICTURES)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["task=autoencoder", "trick=[prediction_dynamics]"],
            "trick.prediction_dynamics: needs a task that predicts classes, and task=autoencoder",
        ),
        (
            ["task=simclr", "augment=[crop]", "trick=[gradient_noise_scale]"],
            "compares each image with the rest of its batch",
        ),
        (["data.batch_size=1", "trick=[gradient_noise_scale]"], "compares halves of a batch"),
        (
            ["optimizer=lbfgs", "data.batch_size=full", "trick=[gradient_noise_scale]"],
            "LBFGS uses all images",
        ),
        (["trainer=ddp", "trainer.strategy=fsdp", "trick=[first_layer]"], "reads whole layers"),
    ],
)
def test_what_cannot_be_watched_is_refused(words, sentence):
    composed = compose("train", words)
    found = [one for one in validate.problems(plain(composed.cfg)) if one.startswith("trick.")]
    assert len(found) == 1
    assert sentence in found[0]


@pytest.mark.parametrize("task", ["autoencoder", "simclr"])
def test_tasks_without_labels_are_watched_as_far_as_they_can_be(task, tmp_path):
    words = [f"task={task}", "trainer.max_epochs=1", "trick=[activation_stats,first_layer]", *OFTEN[1:2]]
    words += ["augment=[crop]"] if task == "simclr" else []
    watched(words, Path(tmp_path))
    header = (tmp_path / "metrics.csv").read_text().splitlines()[0]
    assert "activation/features.0/std" in header
