"""The differences of a config from the defaults are the words that made it."""

import pytest

from imagelab.config.compose import compose
from imagelab.config.differences import differences

WORDS = [
    [],
    ["seed=3"],
    ["optimizer=nesterov", "optimizer.lr=0.02"],
    ["data=folder", "data.root=photos", "data.size=64"],
    ["trainer=cpu", "trainer.max_epochs=2"],
    ["trick=[ema,early_stopping]", "trick.ema.decay=0.5"],
    ["schedule=step", "monitor=val/loss", "model.norm=group"],
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_they_are_what_was_typed(words):
    cfg = compose("train", words).cfg
    assert cfg is not None
    found = differences(cfg)
    typed = dict(word.split("=", 1) for word in words)
    assert {key: str(value).replace("'", "").replace(" ", "") for key, value in found.items()} == typed


def test_an_experiment_counts_by_what_it_sets():
    cfg = compose("train", ["experiment=large_batch"]).cfg
    assert cfg is not None
    found = differences(cfg)
    assert found
    words = [f"{key}={value}".replace("'", "").replace(" ", "") for key, value in found.items()]
    assert compose("train", words).cfg == cfg


def test_a_class_that_no_file_names_is_named_itself():
    cfg = compose("train", ["model._target_=mine.Net"]).cfg
    assert cfg is not None
    assert differences(cfg)["model"] == "Net"
