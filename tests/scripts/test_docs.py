import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import yaml

from imagelab import evaluate
from imagelab.config import menu, schema
from imagelab.config.rules import combinations
from imagelab.launch import check_words
from scripts import docs
from scripts.docs import PAGE, card, described, key_card, page

KEYS = [
    f"{group}.{key}"
    for group, node in yaml.safe_load((menu.folder() / "train.yaml").read_text()).items()
    if isinstance(node, dict) and group != "hydra"
    for key in node
    if key != "_target_"
]
CONFIGS = Path(__file__).parents[2] / "configs"
CHOICES = sorted(
    f"{path.parent.name}/{path.stem}"
    for path in CONFIGS.glob("*/*.yaml")
    if path.parent.name not in menu.BROUGHT
)


written = cache(page)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(), "docs/tricks.md is stale: run `make docs`"


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_has_a_card_that_says_what_source_and_command(choice: str) -> None:
    group, name = choice.split("/")
    section = re.split(rf"^## {group}\n", written(), flags=re.MULTILINE)[1].split("\n## ")[0]
    found = re.search(rf"^### {name}\n\n(.+?)(?=^### |\Z)", section, re.MULTILINE | re.DOTALL)
    assert found, f"{choice} has no card"
    text = found.group(1)
    assert len(text.splitlines()[0]) > 20
    assert re.search(r"^- Source: \S", text, re.MULTILINE)
    assert re.search(rf"^- Command: `imagelab \w+ .*{group}=\[?{name}\]?", text, re.MULTILINE)


def test_a_card_holds_the_words_of_config_and_code() -> None:
    text = card("augment", "mixup", several=True)
    assert "against overfitting and overconfidence" in text  # the config's head
    assert "Blend every image of a batch with another image of the batch." in text  # the class
    assert "  - `alpha: 0.2`: strength" in text  # value and comment
    assert "Zhang et al. 2018" in text  # the module's source
    assert "`imagelab train augment=[mixup]`" in text


def test_an_argument_without_a_comment_is_explained_by_the_code() -> None:
    meaning = described("imagelab.trick.early_stopping.EarlyStopping").meaning
    assert meaning["patience"] == "Epochs without improvement before stopping, >= 1"
    assert set(meaning) == {"monitor", "mode", "patience", "min_delta"}


@pytest.mark.parametrize("line", re.findall(r"^- Command: `imagelab (.+)`$", written(), re.MULTILINE))
def test_every_command_on_a_card_passes_the_check(line: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(combinations, "device_problems", lambda _: [])  # this machine need not have them
    command, *words = shlex.split(line)
    typed = [
        word for word in words if word != "-m" and not word.startswith("from=")
    ]  # another sweep's folder
    root = schema.Run if command == "train" else evaluate.Evaluate
    try:
        check_words(typed, command, root, sweep="-m" in words)
    except SystemExit:
        pytest.fail(capsys.readouterr().err)


@pytest.mark.parametrize("path", KEYS)
def test_every_shared_key_has_a_card_that_says_what_source_and_command(path: str) -> None:
    group, key = path.split(".")
    text = key_card(group, key)
    assert text in written()
    assert len(text.splitlines()[2]) > 5
    assert re.search(r"^- Source: \S", text, re.MULTILINE)
    assert f"`imagelab train {path}=" in text


def test_the_card_of_a_key_names_its_values_and_the_papers_behind_them() -> None:
    text = key_card("model", "init")
    assert "`xavier_uniform`, `xavier_normal`, `kaiming_normal`" in text
    assert "Glorot & Bengio 2010" in text


def test_a_card_shows_what_was_measured(monkeypatch) -> None:
    row = ["augment=mixup", "base", "40.0 ± 1.0", "41.0 ± 1.0", "-1.0 ± 0.2", "3"]
    other = ["model.norm=group", "base", "40.0 ± 1.0", "38.0 ± 1.0", "+2.0 ± 0.5", "3"]
    monkeypatch.setattr("scripts.docs._table", lambda: [row, other])
    monkeypatch.setattr("scripts.docs._evidence", list)
    assert "- Measured: -1.0 ± 0.2 against base" in card("augment", "mixup", several=True)
    assert "- Measured: group: +2.0 ± 0.5 against base" in key_card("model", "norm")


def test_the_verdict_on_a_claim_takes_the_place_of_what_ten_epochs_showed(tmp_path, monkeypatch) -> None:
    page = tmp_path / "evidence.md"
    rows = [
        "| `augment=mixup` | blends help | 41.0 against 40.0 | +1.0 ± 0.2 points | 5 | held |",
        "| `loss.weight=auto` | helps rare classes | 41.0 against 40.0 | +3.0 ± 0.2 points | 5 | held |",
        "| `augment=cutmix` | helps | 41.0 against 40.0 | +1.0 ± 0.2 points | 2 | too few runs |",
    ]
    page.write_text("\n".join(["## Few images", *rows]))
    monkeypatch.setattr("scripts.docs.EVIDENCE", page)
    monkeypatch.setattr("scripts.docs._evidence", docs._evidence.__wrapped__)
    said = "- Measured: +1.0 ± 0.2 points. Claim: blends help; held (few images; 5 seeds)"
    assert re.findall("- Measured.*", card("augment", "mixup", several=True)) == [said]
    assert "`loss.weight=auto`, +3.0 ± 0.2 points" in card("loss", "cross_entropy", several=False)
    assert "5 seeds" not in card("augment", "cutmix", several=True)
