"""What was typed differently is answered by what was meant."""

import pytest

from imagelab.config.menu import choices
from tests.in_process import imagelab

MEANT = {
    "optimizer.lr = 0.1": "optimizer.lr = 0.1: has spaces around =; type optimizer.lr=0.1",
    "optimizer.lr =0.1": "optimizer.lr =0.1: has spaces around =; type optimizer.lr=0.1",
    "optimizer.lr= 0.1": "optimizer.lr= 0.1: has spaces around =; type optimizer.lr=0.1",
    "epochs=3": "epochs: no such key; set trainer.max_epochs=3",
    "batch_size=16": "batch_size: no such key; set data.batch_size=16",
    "dataset=cifar10": "dataset: no such key; set data=cifar10",
    "data.root=/no": "data.root: Digits has no such argument; set data=folder data.root=/no or data=",
    "loss.weight=[1,2]": "loss.weight: wants 'auto', 'balanced', {NAME: a number, ...} or null; got [1, 2]",
    "loss.weight=balance": "loss.weight: wants 'auto', 'balanced'; did you mean 'balanced'?",
    "loss._target_=torch.nn.CrossEntropyLoss loss.weight=[1,2]": (
        "loss.weight: takes a tensor; got [1, 2]; loss=cross_entropy loss.weight=balanced"
    ),
    "lr=0.1,0.2": "lr: no such key; set optimizer.lr=0.1,0.2; add -m",
    "-m lr=0.1,0.2": "lr: no such key; set optimizer.lr=0.1,0.2",
    "-m sweep=random sweep.trials=0": "sweep.trials: wants 1 or more, got 0",  # room: sweep
    "-m sweep=grid sweep.points=-1": "sweep.points: wants 1 or more, got -1",  # room: sweep
}


@pytest.mark.parametrize("words", MEANT)
def test_a_word_that_means_another_is_refused_with_that_other(words, tmp_path):
    said = imagelab("train", *words.split(), folder=tmp_path)
    assert said.status == 2
    lines = said.err.splitlines()
    assert lines[0] == "This run cannot start:"
    for part in MEANT[words].split("; "):
        assert part in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_word_of_the_command_itself_stays(tmp_path):
    said = imagelab("predict", "run=nowhere", "source=.", "batch_size=0", folder=tmp_path)
    assert "batch_size: wants 1 or more, got 0" in said.err


@pytest.mark.parametrize("words", [["--version"], ["train", "--version"]])
def test_the_version_is_that_of_this_program(words, tmp_path):
    said = imagelab(*words, folder=tmp_path)
    assert (said.status, said.out.split()[0]) == (0, "imagelab")
    assert "Hydra" not in said.out


def test_help_is_a_word_too(tmp_path):
    for words, others in (["help"], ["--help"]), (["help", "train"], ["train", "--help"]):
        assert imagelab(*words, folder=tmp_path) == imagelab(*others, folder=tmp_path)
    assert imagelab("train", "help", folder=tmp_path).out == imagelab("help", "train", folder=tmp_path).out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train augment=[cr", ["augment=[crop"]),
        ("train augment=[crop,cu", ["augment=[crop,cutmix", "augment=[crop,cutout"]),
        ("train data=digits trick=[ema,em", []),
        ("train logger=[", [f"logger=[{name}" for name in choices("logger")]),
    ],
)
def test_the_shell_completes_inside_a_list(line, words, monkeypatch, tmp_path):
    monkeypatch.setenv("COMP_LINE", f"imagelab {line}")
    monkeypatch.setenv("COMP_POINT", str(len(f"imagelab {line}")))
    assert imagelab("-sc", "query=bash", folder=tmp_path).out.split() == words
