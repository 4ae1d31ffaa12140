"""Weights from elsewhere: an artifact of W&B stands for the checkpoint in it, and failures are sentences."""

from types import SimpleNamespace

import pytest
import torch
import wandb

import imagelab
from imagelab import embed
from imagelab.model.pretrained import run_preprocess
from imagelab.problem import Problem


@pytest.fixture
def server(digits, monkeypatch):
    """W&B with one artifact, the best checkpoint of a run, and one without any."""
    places = {"me/birds/run-model:latest": digits / "checkpoints", "me/birds/notes:v3": digits}

    def give(name):
        if name not in places:
            raise ValueError(f"artifact {name} not found\nmore")
        return SimpleNamespace(download=lambda: str(places[name]))

    monkeypatch.setattr(wandb, "Api", lambda: SimpleNamespace(artifact=give))


def test_an_artifact_stands_for_its_checkpoint(server, digits):
    loaded = imagelab.load("wandb:me/birds/run-model").net.state_dict()
    for name, tensor in imagelab.load(digits).net.state_dict().items():
        assert torch.equal(loaded[name], tensor)
    assert run_preprocess("wandb:me/birds/run-model") == run_preprocess(digits)


def test_embed_takes_an_artifact(server, digits):
    loaded = embed.load("wandb:me/birds/run-model").to("cpu").net.state_dict()
    assert all(torch.equal(loaded[name], one) for name, one in imagelab.load(digits).net.state_dict().items())


def test_what_it_does_not_give_is_a_sentence(server):
    with pytest.raises(Problem, match=r"W&B did not give it: artifact me/birds/cats:latest not found$"):
        imagelab.load("wandb:me/birds/cats")
    with pytest.raises(Problem, match=r"wants an artifact with best\.ckpt"):
        imagelab.load("wandb:me/birds/notes:v3")
