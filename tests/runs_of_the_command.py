"""Start the real command in a process of its own, and compare what two runs left behind."""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import cast

import torch

IMAGELAB = str(Path(sys.executable).with_name("imagelab"))
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["imagelab.build", "imagelab.train", "hydra.main", "imagelab.predictor"])


class Process:
    """A running command: what tests need of `subprocess.Popen`.

    Python's fork server has Lightning imported once, and forks for every run: that saves each its start.
    """

    def __init__(self, words: list[str], folder: Path) -> None:
        self.said = Path(tempfile.mkstemp(prefix="said-")[1])
        self.process = SERVER.Process(
            target=_run, args=(words, str(folder), str(self.said), dict(os.environ))
        )
        self.process.start()
        self.pid = cast(int, self.process.pid)

    @property
    def returncode(self) -> int | None:
        """The exit status; of a signal that killed it, the negative number; None while it runs."""
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for the end; what it said."""
        self.process.join(timeout)
        if self.process.is_alive():
            raise subprocess.TimeoutExpired([IMAGELAB], timeout or 0, self.said.read_bytes())
        text = self.said.read_text() if self.said.exists() else ""
        self.said.unlink(missing_ok=True)
        return text, None


def _run(words: list[str], folder: str, said: str, environment: dict[str, str]) -> None:
    """The command, in a session of its own, as a shell would start it."""
    os.setsid()
    os.chdir(folder)
    os.environ |= environment
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    with open(said, "w") as file:  # noqa: PTH123
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    sys.argv = [IMAGELAB, *words]
    sys.modules["__main__"].__spec__ = None  # further ranks are started by this file, not as a module
    from imagelab import cli

    cli.main()


def start(words: list[str], folder: Path, command: str = "train") -> Process:
    """The command in a process group of its own, with all that it says."""
    return Process([command, *words], folder)


def finish(words: list[str], folder: Path, command: str = "train") -> str:
    """Run the command to its end; its output."""
    process = start(words, folder, command)
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    return output


def outcome(run: Path) -> dict:
    """All of a run that must be equal bit for bit: weights, optimizer, metrics, results."""
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    results = json.loads((run / "results.json").read_text())
    return {
        "weights": checkpoint["state_dict"],
        "averages": checkpoint.get("averages", {}),
        "best weights": best["state_dict"],
        "optimizer": checkpoint["optimizer_states"][0],
        "metrics": (run / "metrics.csv").read_text(),
        "results": {
            key: results[key]
            for key in ("status", "seed", "epochs", "steps", "best", "weights", "val", "test")
        },
    }


def assert_same(one: object, other: object, where: str = "") -> None:
    """Equal to the last bit, tensors included."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    else:
        assert one == other, where
