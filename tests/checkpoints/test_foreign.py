"""A checkpoint that another program wrote, or somebody changed, is refused in one sentence."""

import shutil
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from tests.in_process import imagelab

COMMANDS = {
    "evaluate": [],
    "predict": ["source=a.png"],
    "report": ["split=val"],  # room: reports
    "export": ["output=a.onnx"],  # room: exporting
}


@pytest.fixture
def run(digits, tmp_path) -> Path:
    """A copy of a finished run, and a picture beside it."""
    shutil.copytree(digits, tmp_path / "run")
    shutil.copy(Path(__file__).parents[2] / "docs/pictures/report.png", tmp_path / "a.png")
    return tmp_path / "run"


def changed(run: Path, change) -> None:
    """Write both checkpoints with another content."""
    for name in ("best", "last"):
        file = run / "checkpoints" / f"{name}.ckpt"
        content = torch.load(file, weights_only=True)
        torch.save(change(content) or content, file)


def refused(run: Path, command: str) -> str:
    said = imagelab(command, f"run={run}", *COMMANDS[command], folder=run.parent)
    assert said.status == 2, said
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) == 1
    return said.err


CHANGES = {
    "best.ckpt is not a checkpoint of imagelab": lambda content: content["state_dict"],
    "its state_dict is not": lambda content: content.update(state_dict="text"),
    "its imagelab is not": lambda content: content.update(imagelab="text"),
    "its labels is not": lambda content: content["imagelab"].update(labels="text"),
    "its classes is not": lambda content: content["imagelab"].pop("classes") and None,
    "does not describe its input": lambda content: content["imagelab"].update(preprocess={"size": 8}),
    "are not those of the network in": lambda content: content["state_dict"].clear(),
}


@pytest.mark.parametrize(("said", "change"), CHANGES.items())
def test_evaluate_says_what_is_wrong_with_it(run, said, change):
    changed(run, change)
    assert said in refused(run, "evaluate")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_takes_weights_alone(run, command):
    changed(run, lambda content: content["state_dict"])
    assert "is not a checkpoint of imagelab" in refused(run, command)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_takes_objects_or_says_how_to_load_them(run, command):
    changed(run, lambda content: content | {"extra": Fraction(1, 2)})
    said = refused(run, command)
    assert "holds more than plain data" in said
    assert "weights_only" not in said
