"""The command `check`: what it writes, how it ends, and that it leaves no other files."""

import json
import re

import pytest
import torch

from imagelab.checks import run as checks
from imagelab.finding import read
from tests.in_process import imagelab
from tests.zoo import DIGITS, KINDS, subject

WORDS = ["trainer=cpu", "data.limit=600"]


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    return imagelab("check", *WORDS, "hydra.run.dir=out", "fast=true", folder=folder), folder


def test_a_healthy_run_passes_and_writes_findings_and_a_page(checked):
    said, folder = checked
    assert said.status == 0, said
    findings = read(folder / "out" / "check.json")
    assert [finding.name for finding in findings] == list(checks.CHEAP)
    assert {finding.status for finding in findings} <= {"OK", "WARN", "INFO"}
    assert all(finding.why and (finding.expected or finding.status == "INFO") for finding in findings)
    page = (folder / "out" / "check.html").read_text(encoding="utf-8")
    for title in ("What enters the network", "First-layer filters", "Layers"):
        assert title in page
    assert len(page) < 1_000_000


def test_no_other_files_are_written(checked):
    _, folder = checked
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {"out/check.json", "out/check.html"}


def test_a_failed_check_ends_with_status_1_and_a_remedy(tmp_path):
    said = imagelab(
        "check", *WORDS, "optimizer.weight_decay=50", "fast=true", "hydra.run.dir=out", folder=tmp_path
    )
    assert said.status == 1
    failed = [finding for finding in read(tmp_path / "out" / "check.json") if finding.status == "FAIL"]
    assert [finding.name for finding in failed] == ["weight decay"]
    assert "optimizer.weight_decay=0.01" in failed[0].fix
    assert said.out.splitlines()[-1].startswith("Failed: weight decay. Fix")


def test_mistakes_in_overrides_are_refused_as_by_train(tmp_path):
    said = imagelab("check", "data=digit", folder=tmp_path)
    assert said.status == 2
    assert "digits" in said.err
    said = imagelab("check", "seconds=0", folder=tmp_path)
    assert (said.status, said.err.split("\n  ")[1].strip()) == (2, "seconds: wants a number above 0, got 0")


def test_a_check_that_raises_is_a_finding_in_one_sentence():
    def breaks(_):
        raise RuntimeError("no such layer\nand more")

    found = checks.one("inputs", breaks, subject([*DIGITS, *KINDS["A"]]))
    assert (found.name, found.status) == ("inputs", "FAIL")
    assert found.why.startswith("RuntimeError: no such layer")


def test_checks_leave_the_run_unchanged():
    one = subject([*DIGITS, *KINDS["A"]])
    before = {name: value.clone() for name, value in one.classifier.state_dict().items()}
    groups = [
        {key: value for key, value in group.items() if key != "params"} for group in one.classifier.groups
    ]
    checks.run(one, fast=True)
    assert all(torch.equal(value, before[name]) for name, value in one.classifier.state_dict().items())
    assert [{k: v for k, v in g.items() if k != "params"} for g in one.classifier.groups] == groups


@pytest.mark.parametrize(
    "words",
    [
        ["task=autoencoder"],
        ["task=simclr", "augment=[crop,flip]"],
        ["optimizer=lbfgs", "data.batch_size=full", "schedule=constant"],
        ["trainer.precision=bf16-mixed", "trainer.gradient_clip_val=1"],
    ],
    ids=["autoencoder", "simclr", "lbfgs", "bf16"],
)
def test_a_check_that_does_not_apply_says_why(words):
    one = subject([*DIGITS[:2], "data.limit=400", *words])
    found = checks.run(one, fast=True)
    assert [finding.name for finding in found if finding.status == "FAIL"] == []
    assert all(finding.why for finding in found if finding.value is None)


def test_all_checks_that_train_pass_on_a_healthy_run():
    found = checks.run(subject([*DIGITS, *KINDS["A"]]), fast=False, only=tuple(checks.TRAINED))
    assert {finding.name: finding.status for finding in found}["overfit one batch"] == "OK"
    assert [finding.name for finding in found if finding.status == "FAIL"] == []


@pytest.mark.slow
def test_a_rate_far_too_low_is_distinguished_from_a_network_that_cannot_learn():
    one = subject([*DIGITS, "data.limit=300", "optimizer=sgd", "optimizer.lr=5e-4"])
    found = checks.run(one, fast=False, only=["learning rate"])[0]
    assert (found.status, found.fix) == ("WARN", "set optimizer.lr=0.05")


def test_a_large_network_is_checked_on_few_images_in_few_steps():
    one = subject([*DIGITS, *KINDS["A"]], seconds=0.01)
    one.seconds_per_image = 2.0
    assert one.count == 8
    found = checks.run(one, fast=False, only=tuple(checks.TRAINED))
    assert {finding.status for finding in found} == {"INFO"}
    assert all(re.search(r"seconds=|width|no boxes", finding.why) for finding in found)


def test_the_findings_are_plain_json(checked):
    _, folder = checked
    entries = json.loads((folder / "out" / "check.json").read_text())
    assert {"name", "status", "value", "expected", "why", "fix", "seconds"} == set(entries[0])
