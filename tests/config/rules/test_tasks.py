"""What learning without labels is refused with, in a sentence each."""

import pytest

from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.config.monitor import monitored

SIMCLR = ["task=simclr", "augment=[crop]"]


def composed(*words: str) -> dict:
    cfg = compose("train", list(words)).cfg
    assert cfg is not None
    return plain(cfg)


@pytest.mark.parametrize("words", [["task=autoencoder"], ["task=autoencoder", "augment=[flip]"], SIMCLR])
def test_what_works_is_let_through(words):
    assert (
        validate.problems(composed(*words, "model.dropout=0.2", "trick=[ema,l1]", "data.balance=true")) == []
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["task=simclr"], "augment: task=simclr compares 2 augmented views of each image"),
        ([*SIMCLR, "data.batch_size=1"], "data.batch_size: task=simclr tells the images of a batch"),
        ([*SIMCLR, "monitor=val/accuracy"], "monitor: there is no metric 'val/accuracy'"),
        (
            [*SIMCLR, "loss.label_smoothing=0.1"],
            "loss: task=simclr has a loss of its own; leave loss out",
        ),
        (
            ["task=autoencoder", "augment=[flip,mixup]"],
            "augment: mixup blends images with their labels, and",
        ),
        (
            ["task=autoencoder", "augment=[mixup,cutmix]"],
            "augment: mixup and cutmix blend images with their labels, and task=autoencoder learns",
        ),
        (
            ["task=autoencoder", "finetune=full", "model.weights=run"],
            "finetune: task=autoencoder puts an end of its own to the network",
        ),
        (
            ["task=autoencoder", "trick=[early_stopping]", "trick.early_stopping.monitor=val/accuracy"],
            "trick.early_stopping.monitor: there is no metric 'val/accuracy'",
        ),
        (["task=autoencodr"], "task: there is no 'autoencodr'; did you mean 'autoencoder'?"),
        (["task=autoencoder", "task.noise=much"], "task.noise: wants a number, got 'much'"),
    ],
)
def test_what_would_be_without_effect_or_cannot_be_is_refused(words, sentence):
    made = compose("train", words)
    assert made.cfg is not None
    found = made.problems or validate.problems(plain(made.cfg))
    assert found[0].startswith(sentence)


def test_the_best_epoch_is_named_by_what_the_task_measures():
    assert monitored(composed()) == "val/accuracy"
    assert monitored(composed("task=autoencoder")) == monitored(composed(*SIMCLR)) == "val/loss"
    assert monitored(composed("monitor=val/f1_macro")) == "val/f1_macro"
