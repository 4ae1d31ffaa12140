"""Start the real command in a process of its own, and compare what two runs left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

IMAGELAB = str(Path(sys.executable).with_name("imagelab"))


def start(words: list[str], folder: Path, command: str = "train") -> subprocess.Popen:
    """The command in a process group of its own, its output in one pipe."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [IMAGELAB, command, *words],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


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
