"""What cannot be combined with learning without labels is refused, one sentence each."""

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
def test_valid_combinations_are_accepted(words):
    assert (
        validate.problems(composed(*words, "model.dropout=0.2", "trick=[ema,l1]", "data.balance=true")) == []
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["task=simclr"], "augment: task=simclr compares 2 augmented views of each image"),
        ([*SIMCLR, "data.batch_size=1"], "data.batch_size: task=simclr compares the images of a batch"),
        ([*SIMCLR, "monitor=val/accuracy"], "monitor: there is no metric 'val/accuracy'"),
        (
            [*SIMCLR, "loss.label_smoothing=0.1"],
            "loss: task=simclr has its own loss; leave loss out",
        ),
        (
            ["task=autoencoder", "augment=[flip,mixup]"],
            "augment: mixup blends images and their labels, and",
        ),
        (
            ["task=autoencoder", "augment=[mixup,cutmix]"],
            "augment: mixup and cutmix blend images and their labels, and task=autoencoder learns",
        ),
        (
            ["task=autoencoder", "finetune=full", "model.weights=run"],
            "finetune: task=autoencoder replaces the head",
        ),
        (
            ["task=autoencoder", "trick=[early_stopping]", "trick.early_stopping.monitor=val/accuracy"],
            "trick.early_stopping.monitor: there is no metric 'val/accuracy'",
        ),
        (
            ["loss.weight=auto", "data.balance=true"],
            "loss.weight: data.balance=true draws every class equally often already, got 'auto'",
        ),
        (["task=autoencodr"], "task: there is no 'autoencodr'; did you mean 'autoencoder'?"),
        (["task=autoencoder", "task.noise=much"], "task.noise: wants a number, got 'much'"),
    ],
)
def test_what_has_no_effect_or_cannot_work_is_refused(words, sentence):
    made = compose("train", words)
    assert made.cfg is not None
    found = made.problems or validate.problems(plain(made.cfg))
    assert found[0].startswith(sentence)


def test_the_best_epoch_is_selected_by_a_metric_of_the_task():
    assert monitored(composed()) == "val/accuracy"
    assert monitored(composed("task=autoencoder")) == "val/loss"
    assert monitored(composed(*SIMCLR)) == "val/loss"
    assert monitored(composed("monitor=val/f1_macro")) == "val/f1_macro"
