"""`finetune=auto` on digits: measured once, on record, and kept to."""

import json

import numpy as np
import pytest
import torch

from imagelab.build import build_data
from imagelab.checkpoints.content import card
from imagelab.checkpoints.durable import BEST, LAST
from imagelab.finetune.choose import draw_places, features_of, resolve_finetune
from imagelab.finetune.features import FeatureCache
from imagelab.finetune.neighbours import neighbour_accuracy
from imagelab.runs import files
from imagelab.transfer import TransferClassifier
from tests.fitting import SHORT, built, fitted
from tests.in_process import imagelab, trained

AUTO = [*SHORT, "finetune=auto", "finetune.images=150"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """Of a network that knows the digits."""
    folder = tmp_path_factory.mktemp("before")
    fitted(["trainer=cpu", "trainer.max_epochs=3"], folder)
    return f"model.weights={folder / 'checkpoints' / BEST}"


def strategy(words, folder) -> str:
    classifier = built([*AUTO, *words], folder).classifier
    return type(classifier.strategy).__name__ if isinstance(classifier, TransferClassifier) else "Scratch"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["finetune.similarity=similar"], "LinearProbe"),
        (["finetune.similarity=different"], "Discriminative"),
        (["finetune.similarity=similar", "finetune.few=5"], "Discriminative"),
    ],
)
def test_what_is_chosen_is_what_trains(words, expected, weights, tmp_path):
    assert strategy([weights, *words], tmp_path) == expected


def test_features_of_a_trained_network_are_similar_and_random_ones_are_not(weights, tmp_path):
    accuracy = {}
    for name, words in {"trained": [weights], "random": []}.items():
        parts = built([*SHORT, *words], tmp_path / name)
        labels = parts.data.splits["train"].labels
        places = draw_places(labels, 600, seed=0)
        features, pixels = features_of(parts.classifier.net, parts.data, places)
        accuracy[name] = neighbour_accuracy(features, torch.from_numpy(labels[places]), 10)
        accuracy["pixels"] = neighbour_accuracy(pixels, torch.from_numpy(labels[places]), 10)
    assert accuracy["trained"] > accuracy["pixels"] + 0.02
    assert accuracy["random"] < accuracy["pixels"] - 0.02


def test_classes_are_sampled_evenly_and_some_are_left_out_if_there_are_many():
    labels = np.repeat(np.arange(100), 30)
    some = draw_places(labels, 200, seed=0)
    assert np.unique(labels[some], return_counts=True)[1].tolist() == [20] * 10
    assert (some == draw_places(labels, 200, seed=0)).all()
    few = draw_places(np.array([0] * 50 + [1] * 3), 20, seed=0)
    assert len(few) == 10 + 3
    assert len(np.unique(few)) == 13


def test_a_run_prints_and_records_its_choice_and_keeps_it_on_resume(weights, tmp_path):
    words = [*AUTO, weights, "trainer.max_epochs=2"]
    run = trained(*words, folder=tmp_path)
    record = json.loads((run / "results.json").read_text())["finetune"]
    assert record["choice"] == "linear_probe"
    assert record["measured"]["features"] > record["measured"]["pixels"]
    assert f"finetune=auto: {record['why']}." in (run / "console.log").read_text()
    assert imagelab("evaluate", f"run={run}", folder=tmp_path).status == 0
    cfg = files.read_config(run)
    assert cfg["finetune"]["_target_"].endswith("Auto")
    other = card(run / "checkpoints" / LAST) | {"finetune": record | {"choice": "full", "why": "so"}}
    now, again = resolve_finetune(cfg, other, build_data)
    assert again == other["finetune"]
    assert now["finetune"]["_target_"].endswith("Full")
    assert now["finetune"]["scale"] == 0.1
    known = built(words, tmp_path / "again", known=card(run / "checkpoints" / LAST))
    assert known.classifier.card["finetune"] == record
    assert any(isinstance(one, FeatureCache) for one in known.trainer.callbacks)  # pyright: ignore[reportAttributeAccessIssue]


def test_without_trained_weights_there_is_nothing_to_choose(tmp_path):
    said = imagelab("train", *AUTO, folder=tmp_path)
    assert said.status == 2
    assert "finetune: Auto needs a trained network" in said.err
