import re
from pathlib import Path

import pytest

from scripts.docs import PAGE, card, described, page

CONFIGS = Path(__file__).parents[2] / "configs"
CHOICES = sorted(f"{path.parent.name}/{path.stem}" for path in CONFIGS.glob("*/*.yaml"))


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/tricks.md is stale: run `make docs`"


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_has_a_card_that_says_what_source_and_command(choice: str) -> None:
    group, name = choice.split("/")
    section = re.split(rf"^## {group}\n", page(), flags=re.MULTILINE)[1].split("\n## ")[0]
    found = re.search(rf"^### {name}\n\n(.+?)(?=^### |\Z)", section, re.MULTILINE | re.DOTALL)
    assert found, f"{choice} has no card"
    text = found.group(1)
    assert len(text.splitlines()[0]) > 20
    assert re.search(r"^- Source: \S", text, re.MULTILINE)
    assert re.search(rf"^- Command: `imagelab \w+ .*{group}=\[?{name}\]?", text, re.MULTILINE)


def test_a_card_holds_the_words_of_config_and_code() -> None:
    text = card("augment", "mixup", several=True)
    assert "against overfitting and overconfidence" in text  # the config's head
    assert "Blend every image of a batch with another of it." in text  # the class
    assert "  - `alpha: 0.2`: strength" in text  # value and comment
    assert "Zhang et al. 2018" in text  # the module's source
    assert "`imagelab train augment=[mixup]`" in text


def test_an_argument_without_a_comment_is_explained_by_the_code() -> None:
    meaning = described("imagelab.trick.early_stopping.EarlyStopping").meaning
    assert meaning["patience"] == "Epochs without improvement that are endured, >= 1"
    assert set(meaning) == {"monitor", "mode", "patience", "min_delta"}
