"""What is learnt without labels is worth something: a linear probe on few labels, and a run that goes on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from imagelab.build import Parts
from tests.fitting import SHORT, built, fitted
from tests.in_process import imagelab, trained
from tests.runs_of_the_command import assert_same
from tests.trick.averaging import last, recorded, resumed

VIEWS = ["augment=[translate,rotate,shear,stretch,noise]", "augment.noise.std=[0,60]", "data.batch_size=64"]
TASKS = {
    "autoencoder": ["trainer.max_epochs=8", "task.width=32", "data.batch_size=32"],
    "simclr": ["trainer.max_epochs=8", *VIEWS],
}
LABELLED = 2  # images of each class


def features(parts: Parts, split: str) -> np.ndarray:
    """What reaches the end of the network, for every image of a split."""
    kept: list[torch.Tensor] = []
    hook = parts.classifier.net.head.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    with torch.inference_mode():
        parts.classifier.net.eval()(parts.data.preprocess(parts.data.splits[split].images))
    hook.remove()
    return kept[0].numpy()


def probed(parts: Parts) -> float:
    """Test accuracy of a linear classifier on the features of 20 labelled images, the mean of five draws."""
    labels, answers = (parts.data.splits[split].labels for split in ("train", "test"))
    scaler = StandardScaler().fit(features(parts, "train"))
    train, test = (scaler.transform(features(parts, split)) for split in ("train", "test"))
    found = []
    for draw in range(5):
        order = np.random.default_rng(draw).permutation(len(labels))
        few = np.concatenate([order[labels[order] == label][:LABELLED] for label in range(10)])
        probe = LogisticRegression(C=0.1, max_iter=300).fit(train[few], labels[few])
        found.append(float(probe.score(test, answers)))
    return float(np.mean(found))


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("task", TASKS)
def test_a_linear_probe_on_learnt_features_beats_one_on_random_features(task, seed, tmp_path):
    parts = built(["trainer=cpu", f"seed={seed}", "logger=[]", f"task={task}", *TASKS[task]], tmp_path)
    random = probed(parts)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert probed(parts) > random + 0.05


@pytest.mark.parametrize("task", TASKS)
def test_a_run_that_goes_on_in_the_middle_of_an_epoch_ends_in_the_same_bits(task, tmp_path):
    words = [f"task={task}", "trainer.max_epochs=2", "augment=[translate,rotate]", "trick=[ema]"]
    recorded(words, tmp_path / "whole", copy_at=6)
    resumed(words, tmp_path / "again", tmp_path / "whole" / "copy.ckpt")
    whole, again = last(tmp_path / "whole"), last(tmp_path / "again")
    assert whole["global_step"] == 8
    assert_same(whole["state_dict"], again["state_dict"])
    assert_same(whole["averages"], again["averages"])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    words = ["task=autoencoder", "data.limit=200", "trainer.max_epochs=1"]
    return trained(*words, folder=tmp_path_factory.mktemp("learnt"))


def test_a_classifier_starts_from_the_features_with_a_head_of_its_own(run, tmp_path, caplog):
    words = [*SHORT, f"model.weights={run}"]
    learnt = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    net = built(words, tmp_path / "a").classifier.net
    fresh = built(SHORT, tmp_path / "b").classifier.net
    for name, tensor in net.state_dict().items():
        expected = fresh.state_dict()[name] if name.startswith("head.") else learnt[f"net.{name}"]
        assert torch.equal(tensor, expected) or name.endswith("num_batches_tracked"), name
    assert "head.weight, head.bias start from scratch; that run was trained with task=auto" in caplog.text
    probe = fitted([*words, "finetune=linear_probe"], tmp_path / "c").classifier.net
    assert torch.equal(probe.features[0].weight, learnt["net.features.0.weight"])
    assert not torch.equal(probe.head.weight, fresh.head.weight)


def test_the_run_says_what_it_is_good_for(run):
    results = json.loads((run / "results.json").read_text())
    assert (results["task"], results["best"]["monitor"]) == ("autoencoder", "val/loss")
    assert set(results["val"]) == set(results["test"]) == {"loss"}
    said = (run / "console.log").read_text()
    assert "imagelab train model.weights=run finetune=linear_probe" in said
    assert "imagelab evaluate" not in said


@pytest.mark.parametrize("words", [("evaluate",), ("predict", "source=.")])
def test_it_is_no_classifier_yet(run, words):
    said = imagelab(words[0], f"run={run}", *words[1:], folder=run)
    assert said.status != 0
    assert f"{run} was trained with task=autoencoder and has no classes" in said.err
    assert f"imagelab train model.weights={run} finetune=linear_probe" in said.err
