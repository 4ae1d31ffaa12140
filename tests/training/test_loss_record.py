"""The record of training losses."""

import math
from types import SimpleNamespace

import pytest
import torch

from imagelab.classifier import Classifier
from imagelab.training.loss_record import Diverged, LossRecord


def filled(values, flush_at=()):
    record = LossRecord(window=3)
    for place, value in enumerate(values):
        record.add(torch.tensor(value))
        if place in flush_at:
            record.flush()
    record.flush()
    return record


def test_the_epoch_mean_does_not_depend_on_when_it_is_flushed():
    values = torch.rand(1000, generator=torch.Generator().manual_seed(0)).tolist()
    expected = math.fsum(torch.tensor(values).double().tolist()) / 1000
    assert filled(values).epoch_mean() == filled(values, {1, 2, 500, 998}).epoch_mean() == expected


def test_the_running_mean_spans_the_window_across_epochs():
    record = filled([9.0, 1.0, 2.0])
    record.end_epoch()
    record.add(torch.tensor(6.0))
    assert record.running() == 3.0
    assert record.epoch_mean() == 6.0


def test_the_batch_of_the_first_non_finite_loss_is_found():
    record = filled([1.0, 2.0])
    for value in (3.0, float("nan"), 5.0, float("inf")):
        record.add(torch.tensor(value))
    record.flush()
    assert record.bad == 3
    record.flush()
    assert record.bad == 3


def test_its_state_survives_a_checkpoint():
    record, other = filled([0.1, 0.2, 0.3, 0.4]), LossRecord(window=3)
    other.load_state_dict(record.state_dict())
    assert other.epoch == record.epoch
    assert list(other.recent) == list(record.recent)


@pytest.mark.parametrize("here", [math.nan, 0.5])
def test_all_ranks_end_where_the_first_of_them_diverges(here):
    """Another rank had its first loss that is no number at batch 1, this one at batch 2 or never."""
    losses = LossRecord(window=5)
    for value in (0.5, 0.5, here):
        losses.add(torch.tensor(value))
    module = SimpleNamespace(losses=losses, terms=SimpleNamespace(records={}), current_epoch=0)
    module.across_ranks = lambda value, how: {"max": max(value, -1.0)}[how]
    module.step_plan = SimpleNamespace(step=lambda epoch, batch: batch + 1)
    with pytest.raises(Diverged, match="NaN or infinite at step 2"):
        Classifier.flush_losses(module)  # type: ignore[arg-type]
