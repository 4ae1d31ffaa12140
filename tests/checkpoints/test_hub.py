"""Weights from elsewhere: an artifact of W&B stands for the checkpoint in it, and failures are sentences."""

import csv
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import torch
import wandb
from PIL import Image

import imagelab
from imagelab.loading import load_fast
from imagelab.model.pretrained import run_preprocess
from imagelab.problem import Problem
from tests import in_process


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
    loaded = load_fast("wandb:me/birds/run-model").to("cpu").net.state_dict()
    assert all(torch.equal(loaded[name], one) for name, one in imagelab.load(digits).net.state_dict().items())


def test_what_it_does_not_give_is_a_sentence(server):
    with pytest.raises(Problem, match=r"W&B did not give it: artifact me/birds/cats:latest not found$"):
        imagelab.load("wandb:me/birds/cats")
    with pytest.raises(Problem, match=r"wants an artifact with best\.ckpt"):
        imagelab.load("wandb:me/birds/notes:v3")


def test_predict_takes_an_artifact_and_a_checkpoint_as_load_does(server, digits, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    wanted = imagelab.load(digits).files([tmp_path / "a.png"])[0]
    checkpoint = [f"run={digits / 'checkpoints' / 'best.ckpt'}", "output=beside.csv"]
    for words, written in (["run=wandb:me/birds/run-model"], "predictions.csv"), (checkpoint, "beside.csv"):
        said = in_process.imagelab("predict", *words, "source=a.png", folder=tmp_path)
        assert said.status == 0, said
        (line,) = csv.DictReader((tmp_path / written).open(encoding="utf-8"))
        assert [float(value) for value in list(line.values())[-11:-1]] == pytest.approx(wanted, abs=1e-6)


def test_predict_asks_the_hub_as_load_does(monkeypatch, tmp_path):
    def missing(name, **_):
        raise ValueError(f"{name} is not on the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", missing)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    said = in_process.imagelab("predict", "run=hf:me/birds", "source=a.png", folder=tmp_path)
    wanted = "hf:me/birds: the Hugging Face hub did not give it: me/birds is not on the hub"
    assert (said.status, said.err.strip()) == (2, wanted)
    with pytest.raises(Problem, match=f"^{wanted}$"):
        imagelab.load("hf:me/birds")


@pytest.mark.parametrize("command", ["evaluate", "report", "export"])
@pytest.mark.parametrize("run", ["hf:me/birds", "wandb:me/birds/run-model"])
def test_commands_that_need_metrics_and_data_say_what_takes_weights_of_a_hub(command, run, tmp_path):
    said = in_process.imagelab(command, f"run={run}", folder=tmp_path)
    assert said.status == 2
    assert f"run={run}: wants the folder of a run" in said.err
    assert f"`imagelab predict run={run} source=FILES`" in said.err
    assert list(tmp_path.iterdir()) == []
