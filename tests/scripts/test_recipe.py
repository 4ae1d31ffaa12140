# room: checks, finders, sweep, reports
"""The six steps of choosing hyperparameters come in order, and end in a page."""

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from imagelab.config.compose import compose
from scripts import recipe

OWN = ["data.limit=300", "model.widths=[8,16]"]


@pytest.fixture
def called(monkeypatch, tmp_path) -> list[list[str]]:
    """The commands that were run; the second of them ends with a failed check, whose words are kept."""
    lines = []

    def run(line: list[str], **_) -> SimpleNamespace:
        lines.append(line[1:])
        return SimpleNamespace(stdout=f"<{line[1]}> {len(lines)}", stderr="", returncode=int(len(lines) == 2))

    monkeypatch.setattr(recipe.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    return lines


def test_the_steps_come_in_their_order_and_the_words_go_to_all_that_train_anew(called):
    recipe.main(OWN)
    assert [line[0] for line in called] == ["check", "train", "find_lr", "train", "train", "report"]
    assert ["sweep=coarse" in line for line in called].index(True) == 3
    assert ["sweep=refine" in line for line in called].index(True) == 4
    assert [set(OWN) <= set(line) for line in called] == [True, True, True, True, False, False]


def test_every_step_is_on_the_page_with_its_command_what_it_said_and_its_status(called):
    recipe.main([])
    text = Path("logs/recipe.html").read_text()
    places = [text.index(step.title) for step in recipe.STEPS]
    assert places == sorted(places)
    for number, line in enumerate(called, 1):
        assert f"&lt;{line[0]}&gt; {number}" in text
    assert text.count("exit status 1.") == 1


def test_a_step_that_cannot_run_ends_the_recipe(monkeypatch, tmp_path, capsys):
    refused = SimpleNamespace(stdout="", stderr="model.widhts: unknown", returncode=2)
    monkeypatch.setattr(recipe.subprocess, "run", lambda *_, **__: refused)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        recipe.main(["model.widhts=[8]"])
    assert ended.value.code == 2
    assert "model.widhts: unknown" in capsys.readouterr().out
    assert not Path("logs").exists()


def test_both_searches_keep_the_rate_constant_and_the_lengths_are_those_of_the_notes():
    for step, most in ((recipe.STEPS[3], 5), (recipe.STEPS[4], 20)):
        words = [word for word in shlex.split(step.words)[2:] if not word.startswith("from=")]
        cfg = compose("train", words).cfg
        assert cfg is not None
        assert cfg["sweep"]["schedule"] == "constant"
        assert most / 5 <= cfg["sweep"]["epochs"] <= most
