# room: checks
"""Sound but unusual set-ups do not fail, and of what goes wrong the cause is named."""

import copy
import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from imagelab.checks import inputs
from imagelab.checks.apart import batch_leak
from imagelab.checks.augmented import augmented_classes
from imagelab.checks.causes import CAUSES, folded
from imagelab.checks.chance import Levels
from imagelab.checks.findings import found
from imagelab.checks.inputs import statistics
from imagelab.checks.optimizer import holds_parameters
from imagelab.checks.overfit import STEPS, _verdict, one_batch
from imagelab.checks.run import CHEAP, TRAINED
from imagelab.checks.shortcuts import told
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


def test_a_loss_that_stops_where_two_softmaxes_do_is_called_that():
    checked = subject(DIGITS)
    twice = math.log(math.e + 9) - 1
    for end, word in ((twice + 0.01, "one softmax"), (twice - 0.1, "tenth of optimizer.lr")):
        finding = _verdict(checked, [4.0, *[end] * STEPS], checked.unchanged)
        assert (finding.status, word in finding.fix) == ("FAIL", True)


@pytest.mark.parametrize(("swapped", "status"), [(8.0, "OK"), (4.0, "FAIL")])
def test_splits_that_differ_in_colour_are_no_swapped_channels_unless_swapping_brings_them_together(
    monkeypatch, swapped, status
):
    apart = itertools.cycle([10.0, swapped])  # of val as it is, and with red and blue swapped
    monkeypatch.setattr(inputs, "_apart", lambda one, other: next(apart))
    finding = inputs.channels(subject(BLOBS))
    assert (finding.status, bool(finding.fix)) == (status, status == "FAIL")


def test_what_is_learnt_is_counted_from_the_lowest_possible_loss():
    levels = Levels(uniform=2.5, chance=2.0, floor=0.5)
    assert [levels.at(share) for share in (0, 0.5, 1)] == [0.5, 1.25, 2.0]


def test_a_value_that_two_classes_share_equally_tells_neither(monkeypatch):
    monkeypatch.setattr(np.random, "default_rng", lambda _: SimpleNamespace(permutation=np.arange))
    codes = torch.tensor([[0], [0], [1], [2], [2], [2]] * 100)
    scores = told(codes, np.array([0, 1, 0, 2, 2, 2] * 100), 3)[:, 0].tolist()
    assert scores == [pytest.approx((2 / 3 - 1 / 2) / (1 / 2)), 0, 1]


def test_what_only_warns_explains_no_failure():
    warning = replace(found("WARN", 0, expected="1", why="odd"), name="optimizer")
    failure = replace(found("FAIL", 0, expected="1", why="broken"), name="gradients")
    assert {one.name: one.status for one in folded([warning, failure])} == {
        "optimizer": "WARN",
        "gradients": "FAIL",
    }
