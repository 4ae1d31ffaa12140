"""`--help` with a choice shows its whole comment, and every key with its value and meaning."""

import sys

import pytest
import yaml

from imagelab import cli
from imagelab.config import help_text, menu
from imagelab.problem import Problem

COSINE = """\
schedule=cosine
  Fall smoothly from the peak rate to the floor: a good choice for nearly everything, with 5% of warm-up.
  factor = (1 + cos(pi t)) / 2, t = share of the steps after warm-up

  schedule.warmup=0.05  share of the run, or a whole number of steps; linear from near 0
  schedule.floor=0      lowest factor
"""


def test_help_for_a_choice_shows_its_card(monkeypatch, capsys):
    for words in (["schedule=cosine", "--help"], ["-h", "trainer.max_epochs=3", "+schedule=cosine"]):
        monkeypatch.setattr(sys, "argv", ["imagelab", "train", *words])
        cli.main()
        assert capsys.readouterr().out == COSINE


def test_several_choices_get_one_card_each_in_order():
    text = help_text.text("train", ["trick=[early_stopping]", "augment=[flip,crop]", "optimizer=adam"])
    heads = [card.splitlines()[0] for card in text.split("\n\n") if card[0] != " "]
    assert heads == ["trick=[early_stopping]", "augment=[flip]", "augment=[crop]", "optimizer=adam"]
    assert "\n  trick.early_stopping.patience=5        epochs without improvement\n" in text
    assert text.endswith("Every choice takes more keys of optimizer: imagelab train --help")


def test_a_recipe_shows_what_it_chooses_and_sets():
    lines = [line.strip() for line in help_text.text("train", ["experiment=photos"]).splitlines()]
    assert {"data=folder", "augment=[crop,flip,color_jitter]", "trainer.max_epochs=30"} <= set(lines)


@pytest.mark.parametrize("group", menu.questions("train"))
def test_every_key_of_every_choice_is_on_its_card(group):
    for choice in menu.choices(group):
        text = help_text.text("train", [f"{group}={choice}"])
        node = yaml.safe_load((menu.folder() / group / f"{choice}.yaml").read_text()) or {}
        node = node[choice] if isinstance(node.get(choice), dict) else node
        for key in node.keys() - {"_target_", "defaults"}:
            target = isinstance(node[key], dict) and node[key].keys() == {"_target_"}  # nothing to set
            assert target or f".{key}" in text or f"  {key}" in text, (choice, key)


def test_without_a_choice_help_is_the_menu_and_a_misspelt_one_is_named():
    assert help_text.text("train", ["--help", "seed=3", "trick=[]"]) == menu.text("train")
    with pytest.raises(Problem, match="there is no 'cosin'; did you mean 'cosine'"):
        help_text.text("train", ["schedule=cosin", "--help"])
