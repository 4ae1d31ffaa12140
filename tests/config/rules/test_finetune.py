"""What cannot be fine-tuned is refused before the run; ignored weights are reported at its start."""

import logging

import pytest
import torch

from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.model.network import without_weights
from tests.fitting import built

TIMM = ["model=timm", "model.name=test_resnet", "data.size=32"]
PRETRAINED = [*TIMM, "model.pretrained=true"]


def problems(*words: str) -> list[str]:
    composed = compose("train", ["trainer=cpu", *words])
    assert composed.cfg is not None
    return composed.problems + validate.problems(plain(composed.cfg))


@pytest.mark.parametrize(
    "words",
    [
        ["finetune=gradual", *PRETRAINED],
        ["finetune=linear_probe", "model.weights=logs/a"],
        ["finetune=scratch"],
        ["finetune=scratch", "optimizer=lbfgs", "data.batch_size=full"],
        ["experiment=hymenoptera", "data.root=a", "~finetune"],
        ["finetune=two_phase", *PRETRAINED, "optimizer=muon", "trainer.sync_batchnorm=true", "trick=[swa]"],
    ],
)
def test_pretrained_networks_can_be_fine_tuned_and_all_trained_from_scratch(words):
    assert problems(*words) == []


@pytest.mark.parametrize(
    ("words", "begins", "instead"),
    [
        (["finetune=gradual"], "finetune: Gradual needs a trained network", "set model.weights=RUN,"),
        (
            ["finetune=full", *TIMM],
            "finetune: Full needs a trained network",
            "set model.pretrained=true or model.weights=RUN",
        ),
        (
            ["finetune=full", *PRETRAINED, "optimizer=lbfgs", "data.batch_size=full"],
            "finetune: LBFGS has one rate",
            "set optimizer=adamw",
        ),
        (
            ["finetune=full", *PRETRAINED, "trainer.strategy=fsdp"],
            "trainer.strategy: finetune trains whole stages",
            "set trainer=ddp",
        ),
        (["finetune=gradul"], "finetune: there is no 'gradul'", "did you mean 'gradual'"),
        (["finetune=gradual", *PRETRAINED, "finetune.norm=off"], "finetune.norm: wants", "got 'off'"),
        (["finetune=full", *PRETRAINED, "finetune.decay=0.5"], "finetune.decay: Full has no", "finetune="),
    ],
)
def test_what_cannot_be_fine_tuned_is_one_sentence(words, begins, instead):
    (sentence,) = problems(*words)
    assert sentence.startswith(begins)
    assert instead in sentence


def test_scratch_ignores_the_weights_and_says_so(tmp_path, caplog):
    words = ["trainer=cpu", "data.limit=200"]
    asked = ["finetune=scratch", f"model.weights={tmp_path}"]  # where there are none
    plain = built(words, tmp_path / "plain").classifier.net.state_dict()
    with caplog.at_level(logging.WARNING, logger="imagelab"):
        tuned = built([*words, *asked], tmp_path / "tuned")
    assert "finetune=scratch: model.weights ignored; training starts from random weights." in caplog.text
    assert all(torch.equal(value, plain[name]) for name, value in tuned.classifier.net.state_dict().items())
    assert tuned.classifier.card["model"]["weights"] is None
    model = {"name": "a", "pretrained": True, "weights": None}
    assert without_weights(model) == {"name": "a", "pretrained": False, "weights": None}
