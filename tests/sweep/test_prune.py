"""A hopeless trial ends after an epoch, with a checkpoint, and records it in its results."""

import csv
import json
from types import SimpleNamespace

import optuna
import torch

from imagelab.sweep.bayes import FILE
from imagelab.sweep.prune import Prune
from imagelab.sweep.study import open_study
from imagelab.sweep.trial import VARIABLE
from tests.in_process import imagelab
from tests.sweep.test_bayes import RANGES, row, search

SHORT = ["trainer=cpu", "trainer.max_epochs=3", "data.limit=100", "data.batch_size=64", "logger=[csv]"]


def test_a_trial_worse_than_earlier_ones_is_pruned_and_recorded(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    words = ["-m", "sweep=bayes", "sweep.trials=6", "sweep.space=null", "optimizer.lr=interval(0.001,0.002)"]
    words += ["sweep.patience=1", "hydra.sweep.dir=here", *SHORT]
    earlier = open_study(folder / FILE, lower=False)
    for _ in range(5):  # as good as it gets, from the first epoch on
        asked = earlier.ask()
        asked.suggest_float("optimizer.lr", 0.001, 0.002)
        for epoch in range(3):
            asked.report(1.0, epoch)
        earlier.tell(asked, 1.0)
    (folder / "sweep.csv").write_text(
        "number,status,optimizer.lr,val/accuracy,epochs,seconds,folder,error\n"
        + "".join(f"{n},finished,0.001,1.0,3,1,{n},\n" for n in range(5))
    )
    said = imagelab("train", *words, folder=tmp_path)
    assert said.status == 0, said
    last = list(csv.DictReader((folder / "sweep.csv").read_text().splitlines()))[-1]
    assert (last["number"], last["status"], last["epochs"]) == ("5", "pruned", "2")
    results = json.loads((folder / "5/results.json").read_text())
    assert (results["status"], results["epochs"]) == ("pruned", 2)
    assert (folder / "5/checkpoints/last.ckpt").is_file()
    found = open_study(folder / FILE, lower=False).trials[5]
    assert found.state == optuna.trial.TrialState.PRUNED
    assert sorted(found.intermediate_values) == [0, 1]


def test_the_pruner_hears_of_the_better_of_raw_and_averaged_weights_as_the_study_does(tmp_path):
    found = search(tmp_path, prune="median")
    found.overrides(0)
    callback = Prune(trial=found.environment(0)[VARIABLE], monitor="val/accuracy", lower=False, epochs=3)
    trainer = SimpleNamespace(
        callback_metrics={"val/accuracy": torch.tensor(0.5), "val_ema/accuracy": torch.tensor(0.75)},
        is_global_zero=True,
        current_epoch=0,
        strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision),
    )
    callback.on_train_epoch_end(trainer, SimpleNamespace(averages=["ema"]))
    assert open_study(tmp_path / FILE, lower=False).trials[0].intermediate_values == {0: 0.75}


def test_a_trial_knows_its_study_only_if_it_may_be_pruned(tmp_path):
    found = search(tmp_path, prune="median")
    found.tell(row(0, found.overrides(0)))
    assert found.environment(0) == {"IMAGELAB_TRIAL": f"0:median:1:{tmp_path / 'study.journal'}"}
    assert search(tmp_path, prune="none").environment(0) == {}
    assert set(RANGES) == set(found.overrides(1))
