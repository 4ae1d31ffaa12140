"""The suggested next step is a valid command with a single change."""

import shlex
from pathlib import Path
from typing import get_args

import pytest

from imagelab.config import validate
from imagelab.config.compose import compose
from imagelab.reports.advice import advice, typed
from imagelab.reports.states import State

WORDS = ["seed=3", "augment=[flip]", "hydra.run.dir=/tmp/x"]


def cfg_of(words: list[str]) -> dict:
    composed = compose("train", [word for word in words if not word.startswith("hydra")])
    assert composed.problems == []
    assert composed.cfg is not None
    return composed.cfg


def command(state: State, words: list[str]) -> list[str]:
    found = advice(state, cfg_of(words), words, Path("logs/a b"), finished=True)
    return shlex.split(found.command)


@pytest.mark.parametrize("state", get_args(State))
def test_every_command_is_valid_and_keeps_the_overrides_of_the_run(state):
    words = command(state, WORDS)
    assert words[0] == "imagelab"
    if words[1] == "train" and words[2] != "-m":
        cfg = cfg_of(words[2:])
        assert validate.quick_problems(cfg) == []
        assert cfg["seed"] == 3
        assert "flip" in cfg["augment"]
        assert cfg != cfg_of(WORDS)
    assert not any(word.startswith("hydra") for word in words)


RUNS = [
    ["trick=[agc]"],
    ["optimizer=lbfgs", "data.batch_size=full"],
    ["trainer.precision=16-mixed", "optimizer.fused=true"],
    ["data.folds=5", "data.fold=1"],
    ["task=autoencoder"],
    ["task=simclr", "augment=[crop,flip]"],
    ["task=detect"],  # room: detection
    ["finetune=linear_probe", "model=torchvision", "model.pretrained=true"],
    ["finetune=scratch", "model=timm"],
    ["trick=[ema,agc,early_stopping]", "augment=[mixup]"],
    ["trainer.gradient_clip_val=0.5"],
    ["model.dropout=0.2", "optimizer.weight_decay=0.2"],
    ["seed=3", "augment=[flip]"],
]


@pytest.mark.parametrize("words", RUNS, ids=" ".join)
def test_the_advice_of_every_verdict_passes_the_check_of_its_run(words):
    assert validate.quick_problems(cfg_of(words)) == []
    for state in get_args(State):
        found = command(state, words)
        if found[1] == "train" and found[2] != "-m":
            assert validate.quick_problems(cfg_of(found[2:])) == [], state


def test_what_clips_already_is_not_told_to_clip():
    assert command("diverged", ["trick=[agc]"])[-1] == "optimizer.lr=0.0003"
    assert advice(
        "diverged", cfg_of(["trick=[agc]"]), ["trick=[agc]"], Path("x"), finished=True
    ).sentence == ("Use a tenth of the learning rate.")


def test_the_change_fits_the_state():
    assert command("train longer", ["trainer.max_epochs=7"]) == ["imagelab", "train", "trainer.max_epochs=14"]
    assert command("LR too high", ["optimizer.lr=0.3"])[-1] == "optimizer.lr=0.1"
    assert command("LR too low", ["optimizer.lr=0.0001"])[-1] == "optimizer.lr=0.001"
    assert command("diverged", [])[-2:] == ["optimizer.lr=0.0003", "trainer.gradient_clip_val=1"]
    assert command("underfitting", [])[-1] == "model.widths=[64,128,128]"
    assert command("underfitting", ["model=resnet9"])[-1] == "model.width=128"
    assert command("not learning", ["seed=1"]) == ["imagelab", "check", "seed=1"]  # room: checks
    assert command("healthy", ["seed=4"]) == ["imagelab", "train", "-m", "seed=5,6"]


def test_against_overfitting_the_next_remedy_comes_once_the_first_is_used():
    words: list[str] = []
    changes = []
    for _ in range(5):
        found = command("overfitting", words)
        changes.append(found[-1])
        words = found[2:]
    assert changes == [
        "augment=[crop]",
        "model.dropout=0.3",
        "optimizer.weight_decay=0.05",
        "trick=[early_stopping]",
        "trick=[early_stopping]",
    ]
    assert found[:2] == ["imagelab", "inspect"]  # room: inspection


def test_an_unfinished_run_is_resumed_first():
    found = advice("healthy", cfg_of([]), [], Path("logs/a b"), finished=False)
    assert found.command == "imagelab train resume='logs/a b'"
    assert "optimizer.lr" in advice("diverged", cfg_of([]), [], Path("x"), finished=False).command


def test_the_overrides_are_those_that_hydra_stored(tmp_path):
    assert typed(tmp_path, {}) == []
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- seed=1\n- ++data.root=a\n- augment=[flip,crop]\n")
    assert typed(tmp_path, {}) == ["seed=1", "data.root=a", "augment=[flip,crop]"]


HOSTILE = [
    "model._target_=os.system",
    "seed=3",
    "data.root=${oc.env:HOME}",
    "model.widths=${a:b}",
    "hydra.x=1",
]


def test_a_strangers_overrides_that_could_run_code_are_not_suggested(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("\n".join(f"- {word}" for word in HOSTILE))
    cfg = cfg_of([]) | {"data": {"root": "my photos"}}
    assert typed(tmp_path, cfg) == [
        "model._target_=imagelab.model.small_cnn.SmallCNN",
        "seed=3",
        'data.root="my photos"',
    ]
    for damaged in ("- [", "text", "3"):
        (tmp_path / ".hydra" / "overrides.yaml").write_text(damaged)
        assert typed(tmp_path, cfg) == []
