"""The files that docs/howto/cluster.md shows: their commands pass the check, a stopped job queues again."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests import documents

PAGE = documents.ROOT / "docs" / "howto" / "cluster.md"
FILES = documents.files(PAGE.read_text(encoding="utf-8"))


def trained(text: str) -> str:
    """The command of imagelab in a file, without the variables of its cluster."""
    words = re.sub(r"\\\n", " ", text).split("imagelab")[-1].splitlines()[0]
    words = re.sub(r"^[. ]train ", "", words)
    return "imagelab train " + re.sub(r"\$\{\w+:-(\w+)\}", r"\1", words)


def test_the_commands_in_its_files_pass_the_check(tmp_path, monkeypatch) -> None:
    job = yaml.safe_load(FILES["night.yaml"])["spec"]["trainer"]
    lines = [trained(FILES["night.sbatch"]), trained(yaml.safe_load(FILES["night_sky.yaml"])["run"])]
    lines.append(trained(" ".join([*job["command"], *job["args"]])))
    assert [line.count("trainer=") for line in lines] == [1, 1, 1]
    for line in lines:
        documents.check(line, tmp_path, monkeypatch)


def test_the_train_job_has_only_what_kubeflow_knows() -> None:
    """Its published model drops unknown keys, and refuses values of other types."""
    from kubeflow_trainer_api.models import TrainerV1alpha1TrainJob as TrainJob

    job = yaml.safe_load(FILES["night.yaml"])
    read = TrainJob.from_dict(job)
    assert read is not None
    assert read.to_dict() == job
    job["spec"]["trainer"]["numNode"] = 2
    assert read.to_dict() != job
    with pytest.raises(ValueError, match="numNodes"):
        TrainJob.from_dict(job | {"spec": job["spec"] | {"trainer": {"numNodes": "two"}}})


@pytest.mark.parametrize(
    ("status", "array", "requeued"),
    [
        (138, {}, "requeue 7"),
        (138, {"SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "3"}, "requeue 5_3"),
        (0, {}, ""),
        (1, {}, ""),
    ],
)
def test_a_job_that_was_stopped_for_its_time_is_queued_again(tmp_path: Path, status, array, requeued) -> None:
    for name, line in (("srun", f"exit {status}"), ("scontrol", f'echo "$@" > {tmp_path}/said')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "night.sbatch").write_text(FILES["night.sbatch"])
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"} | array
    subprocess.run(["bash", "night.sbatch"], cwd=tmp_path, env=environment, check=False)
    said = tmp_path / "said"
    assert (said.read_text().strip() if said.exists() else "") == requeued
