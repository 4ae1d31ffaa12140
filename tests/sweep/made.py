"""Sweeps with simulated trials: a function of the config gives each outcome within milliseconds."""

import json
from pathlib import Path
from unittest import mock

from tests.in_process import Said, imagelab


def sweep(objective, *words: str, folder: Path) -> Said:
    """Type `imagelab train WORDS`; a trial's results.json is what the function of its config returns.

    Args:
        objective: config -> content of results.json, or the best value; an exit status is raised.
        words: Of the command line.
        folder: To type them in.
    """

    def start(cfg, run: Path) -> None:
        found = objective(cfg)
        content = found if isinstance(found, dict) else finished(found)
        (run / "results.json").write_text(json.dumps(content))
        (run / "config.yaml").write_text("seed: 0\n")
        if content["status"] == "failed":
            raise SystemExit(1)

    with (
        mock.patch("imagelab.train.start", start),
        mock.patch("imagelab.config.validate.thorough_problems", return_value=[]),
        mock.patch("imagelab.sweep.local._give_back"),  # of nothing: looking takes longer than a trial
    ):
        return imagelab("train", *words, folder=folder)


def finished(value: float) -> dict:
    """The results.json of a run that came to its end."""
    best = {"epoch": 0, "monitor": "val/accuracy", "value": value}
    return {
        "status": "finished",
        "best": best,
        "epochs": 2,
        "train_seconds": 1.5,
        "test": {"accuracy": value / 2},
    }


def diverged(_cfg) -> dict:
    """The results.json of a run whose loss is no longer a number."""
    return {"status": "failed", "error": "Diverged: the loss is nan", "best": {"value": None}, "epochs": 1}
