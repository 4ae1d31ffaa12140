"""A run in a terminal: it speaks at once, its bar can be read without colours, Ctrl-C leaves clean lines."""

import re

from tests.pseudo_terminal import PseudoTerminal

LONG = ["train", "trainer=cpu", "trainer.max_epochs=500", "data.batch_size=16"]


def test_a_run_says_that_it_loads_shows_step_and_epoch_without_colours_and_ends_cleanly(tmp_path):
    terminal = PseudoTerminal(LONG, tmp_path, 200, NO_COLOR="1")
    terminal.wait_for("loading …")
    assert terminal.cpu_seconds() < 0.5  # whatever else this machine does
    terminal.wait_for("epoch   1/500  loss")
    terminal.wait_for(
        "·  epoch "
    )  # a bar in the middle of whichever epoch; a fast one ends before it is drawn
    terminal.type("\x03")
    assert terminal.ended() == 130
    drawn = re.findall(r"(━+)(·+)  epoch +\d+/500  step +(\d+)/80  loss ", terminal.output)
    for full, rest, step in drawn:
        assert abs(len(full) / len(full + rest) - int(step) / 80) < 0.1
    lines = terminal.lines()
    assert drawn
    assert not [line for line in lines if "━" in line or "·" in line or "loading" in line]
    shown = [line.split()[0] for line in lines if line]
    assert shown[:5] == ["data", "model", "training", "learning", "run"]
    epochs = sum(word == "epoch" for word in shown)
    assert shown[5:] == ["epoch"] * epochs + ["Stopping", "Run", "Resume"], lines


def test_ctrl_c_while_loading_leaves_nothing(tmp_path):
    terminal = PseudoTerminal(LONG, tmp_path)
    terminal.wait_for("loading …")
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert "".join(terminal.lines()) in ("", "^C")
    assert not list(tmp_path.glob("logs/train/*"))
