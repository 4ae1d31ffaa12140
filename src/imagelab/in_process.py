"""Run commands within a Python process, such as a notebook, and give back what they found.

run = imagelab.train("data=folder", "data.root=photos", "trainer.max_epochs=5")
run.results["test"], run.predictor.files(["new.jpg"])
"""

import csv
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest import mock

from imagelab import cli
from imagelab.config.schema import Node
from imagelab.problem import Problem
from imagelab.runs import claim, files, find
from imagelab.terminal import screen

if TYPE_CHECKING:
    from imagelab.predictor import Predictor

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
STOPPED = 130  # exit status after Ctrl-C
HANDS_OFF = ("-m", "--multirun", "--dry-run")


@dataclass(frozen=True)
class Run:
    """A finished run. folder: Where its files are."""

    folder: Path

    @property
    def results(self) -> Node:
        """The content of results.json: status, metrics, times, versions."""
        return json.loads((self.folder / files.RESULTS).read_text(encoding="utf-8"))

    @cached_property
    def predictor(self) -> "Predictor":
        """The trained network, ready to use."""
        from imagelab import loading

        return loading.load(self.folder)


def train(*words: str) -> Run:
    """Train as `imagelab train WORDS` does, or resume a run.

    Raises:
        Problem: The words are wrong, or the run failed; the message says why.
    """
    if taken := [word for word in words if word in HANDS_OFF or word.startswith("resume=auto")]:
        raise Problem(f"{taken[0]}: is for the command line; imagelab.train trains one run")
    resumed = [word.partition("=")[2] for word in words if word.startswith("resume=")]
    if resumed:
        folder = find.unfinished(resumed[-1])
        call("train", f"resume={folder}", *(word for word in words if not word.startswith("resume=")))
        return Run(folder)
    call("train", *words)
    return Run(claim.begun[-1])


def evaluate(*words: str) -> Node:
    """Measure a run as `imagelab evaluate WORDS` does -> the content of evaluation.json.

    Raises:
        Problem: The words are wrong; the message says why.
    """
    return json.loads(call("evaluate", *words).read_text(encoding="utf-8"))


def predict(*words: str) -> Any:
    """Predict as `imagelab predict WORDS` does -> the lines of predictions.csv, each by column.

    If `output` is a .json, as it can be for boxes: its content.

    Raises:
        Problem: The words are wrong; the message says why.
    """
    written = call("predict", *words)
    with written.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return json.load(file) if written.suffix == ".json" else list(csv.DictReader(file))


def call(command: str, *words: str) -> Path:
    """Run a command -> the file that it wrote last, by its own account.

    Raises:
        Problem: It refused, or failed.
        KeyboardInterrupt: The user stopped it.
    """
    screen.complaints.clear()
    with untouched(), mock.patch.object(sys, "argv", ["imagelab", command, *words]):
        try:
            cli.main()
        except SystemExit as end:
            if end.code == STOPPED:
                raise KeyboardInterrupt from end
            if end.code:
                raise Problem(
                    "\n".join(screen.complaints) or f"{command} ended with status {end.code}"
                ) from None
    return screen.written[-1] if screen.written else Path()


@contextmanager
def untouched() -> Iterator[None]:
    """Put back what a command changes of its process: environment, signals, loggers, the screen."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    environment = dict(os.environ)
    try:
        with screen.borrowed():
            yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in handlers.items():
            signal.signal(number, handler)


class CallableModule(ModuleType):
    """The module of a command, which Python code can call: `imagelab.train("model=resnet9")`."""

    def __call__(self, *words: str) -> Any:
        return FUNCTIONS[self.__name__.rpartition(".")[2]](*words)


FUNCTIONS = {"train": train, "evaluate": evaluate, "predict": predict}
CALLABLE = {name: import_module(f"imagelab.{name}") for name in FUNCTIONS}  # importing sets `imagelab.train`
for module in CALLABLE.values():
    module.__class__ = CallableModule
