"""What a person types into a shell in a terminal: each line is answered by what was meant."""

import os
import sys
import tomllib
from pathlib import Path

import pytest

from tests.pseudo_terminal import PseudoTerminal

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
VERSION = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"]
ANSWERS = {  # line -> exit status, a part of the answer
    "imagelab train optimizer.lr = 0.1": (2, "type optimizer.lr=0.1"),
    "imagelab train epochs=3": (2, "set trainer.max_epochs=3"),
    "imagelab train batch_size=16": (2, "set data.batch_size=16"),
    "imagelab train data.root=photos": (2, "data=folder data.root=photos"),
    "imagelab train 'loss.weight=[1,2]'": (2, "{NAME: a number, ...}"),
    "imagelab train lr=0.1,0.2": (2, "optimizer.lr=0.1,0.2: several values are a sweep, add -m"),
    "imagelab train -m sweep=random sweep.trials=0 optimizer.lr=0.1,0.2": (
        2,
        "sweep.trials: wants 1 or more",
    ),
    "imagelab --version": (0, f"imagelab {VERSION}, Python"),
    "imagelab help": (0, "check the config, fit, test with the best weights"),
    "imagelab train help": (0, "imagelab train [group=choice ...] [key=value ...]"),
}


@pytest.mark.slow
def test_a_shell_session_is_answered_by_what_was_meant(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = PseudoTerminal(
        ["--norc", "--noprofile", "-i"], tmp_path, 200, program=Path("/bin/bash"), PATH=path, PS1="> "
    )
    for number, (line, (status, answer)) in enumerate(ANSWERS.items()):
        shell.output = ""
        shell.type(f"{line}; echo ended-$?-{number}\n")
        shell.wait_for(f"ended-{status}-{number}")
        assert answer in " ".join(shell.output.split()), line
    shell.type('eval "$(imagelab -sc install=bash)"; echo ready-$?\n')
    shell.wait_for("ready-0")
    shell.output = ""
    shell.type("imagelab train augment=[cr\t")
    shell.wait_for("augment=[crop")
    shell.type("\x15exit\n")  # Ctrl-U takes the line back
    shell.ended()
    assert list(tmp_path.iterdir()) == []
