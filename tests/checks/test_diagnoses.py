# room: checks
"""Sound but unusual set-ups do not fail, and of what goes wrong the cause is named."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from imagelab.checks.apart import batch_leak
from imagelab.checks.augmented import augmented_classes
from imagelab.checks.causes import CAUSES, folded
from imagelab.checks.findings import found
from imagelab.checks.inputs import statistics
from imagelab.checks.optimizer import holds_parameters
from imagelab.checks.overfit import one_batch
from imagelab.checks.run import CHEAP, TRAINED
from imagelab.data.image_data import ImageData
from imagelab.model.head import last_layer
from tests.zoo import BLOBS, DIGITS, subject
from tests.zoo_bugs import data_becomes


class Holed(ImageData):
    """Two images of train have a value that is no number."""

    def prepare_batch(self, batch, *, train, rank):
        made = super().prepare_batch(batch, train=train, rank=rank)
        made.images[(batch.index == 7) | (batch.index == 300), 0, 0, 0] = torch.nan
        return made


def test_a_head_that_starts_at_zero_is_no_leak_and_no_dead_layer():
    checked = subject(DIGITS)
    nn.init.zeros_(last_layer(checked.classifier.net)[1].weight)
    assert batch_leak(checked).status == "OK"


def test_images_with_nan_are_named():
    checked = subject(DIGITS)
    data_becomes(checked, Holed)
    finding = statistics(checked)
    assert finding.status == "FAIL"
    assert finding.value.startswith("image 7 of train, image 300 of train, image 7 of val")


def test_weights_that_the_optimizer_has_only_copied_are_called_copies():
    checked = subject(DIGITS)
    for group in checked.classifier.groups:
        group["params"] = copy.deepcopy(group["params"])
    assert "has copies" in holds_parameters(checked).value


def test_a_rate_that_is_tiny_on_purpose_does_not_fail():
    finding = one_batch(subject([*DIGITS, "optimizer=sgd", "optimizer.lr=1e-6"]))
    assert finding.status == "WARN"
    assert "10000 times the rate" in finding.why


def test_mirrored_images_whose_colours_tell_the_class_are_still_of_their_class():
    assert augmented_classes(subject([*BLOBS, "augment=[flip]"])).status == "OK"


@pytest.mark.parametrize("cause", CAUSES)
def test_what_follows_from_a_cause_is_folded_under_it(cause):
    names = [name for name in (*CHEAP, *TRAINED) if name in (*CAUSES[cause], cause)]
    assert set(names) == {*CAUSES[cause], cause}  # each is the name of a check
    findings = [replace(found("FAIL", 0, expected="1", why="broken"), name=name) for name in names]
    first, *rest = folded(findings)
    assert (first.name, first.status) == (cause, "FAIL")
    assert {one.status for one in rest} <= {"INFO"}
    assert all(one.why == f"follows from {cause}: broken" for one in rest)


def test_unrelated_failures_stay():
    findings = [
        replace(found("FAIL", 0, expected="1", why="broken"), name=name)
        for name in ("copies across splits", "loss function", "loss at init")
    ]
    assert [(one.name, one.status) for one in folded(findings)] == [
        ("copies across splits", "FAIL"),
        ("loss function", "FAIL"),
        ("loss at init", "INFO"),
    ]
