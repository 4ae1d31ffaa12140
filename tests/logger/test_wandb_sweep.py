# room: logger/wandb
"""A sweep that W&B plans: its agent's commands are valid, and a run joins the trial that the agent names."""

from pathlib import Path

import pytest
import wandb
import yaml
from wandb.sdk.launch.sweeps import utils

from imagelab.config import validate
from imagelab.config.compose import compose, plain
from tests.wandb_on_disk import make, records

SWEEP = yaml.safe_load(
    (Path(__file__).parents[2] / "docs" / "howto" / "wandb-sweep.yaml").read_text(encoding="utf-8")
)
SEARCHED = SWEEP["parameters"]


def values(parameter):
    """All values of a parameter, or both ends of its range."""
    return parameter.get("values") or [parameter.get(end, parameter.get("value")) for end in ("min", "max")]


def command(chosen):
    """What the agent runs for the values that the server chose."""
    parts = utils.create_sweep_command_args({"args": {key: {"value": one} for key, one in chosen.items()}})
    parts |= {"env": ["/usr/bin/env"], "program": [SWEEP["program"]]}
    words = [parts[word[2:-1]] if word.startswith("${") else [word] for word in SWEEP["command"]]
    return [word for some in words for word in some]


@pytest.mark.parametrize("place", [0, -1])
def test_the_agents_command_passes_the_config_check_at_both_ends_of_every_range(place):
    chosen = {name: values(parameter)[place] for name, parameter in SEARCHED.items()}
    env, program, name, *words = command(chosen)
    assert (env, program, name) == ("/usr/bin/env", "imagelab", "train")
    composed = compose("train", words)
    assert composed.cfg is not None, composed.problems
    assert composed.problems + validate.problems(plain(composed.cfg)) == []
    assert composed.cfg["optimizer"]["lr"] == chosen["optimizer.lr"]
    assert list(composed.cfg["logger"]) == ["csv", "wandb"]


def test_a_run_of_an_agent_is_the_trial_it_names_and_stays_so_when_resumed(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for variable, value in {"SWEEP_ID": "s1", "RUN_ID": "trial7", "PROJECT": "pets"}.items():
        monkeypatch.setenv(f"WANDB_{variable}", value)
    wandb.teardown()
    logger = make(tmp_path / "run")
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.close()
    (run,) = (r.run for r in records(tmp_path / "run") if r.WhichOneof("record_type") == "run")
    assert (run.run_id, run.sweep_id, run.project) == ("trial7", "s1", "pets")

    for variable in ("SWEEP_ID", "RUN_ID"):
        monkeypatch.delenv(f"WANDB_{variable}")
    assert make(tmp_path / "run")._wandb_init["id"] == "trial7"
    wandb.teardown()
