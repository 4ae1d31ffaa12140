# room: detection
"""Precision, recall and the cost of each kind of error, by hand and as others compute them."""

import numpy as np
import pytest
import torch

from imagelab.box_labels import padded
from imagelab.metrics.box_curves import best_score, box_curves, costs
from imagelab.metrics.box_errors import DUPLICATE, KINDS, MISSED, box_errors
from imagelab.metrics.boxes import box_metrics
from tests.metrics.test_box_errors import PERFECT, PLANTED, of, troubled
from tests.metrics.test_boxes import rows

FOUR = padded([np.array([[0, 20 * k, 0, 20 * k + 10, 10] for k in range(4)])])


def hits(*scores: float, wrong: float) -> np.ndarray:
    """The first objects of four, with these scores, and a box on nothing."""
    right = [(0, 20 * k, 0, 20 * k + 10, 10, score) for k, score in enumerate(scores)]
    return rows(*right, (0, 0, 50, 10, 60, wrong), count=6)[None].numpy()


def test_precision_and_recall_by_hand():
    [curve] = box_curves(box_errors(hits(0.9, 0.7, wrong=0.8), FOUR))
    assert curve.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert curve.recall.tolist() == [0.25, 0.25, 0.5]
    assert curve.precision.tolist() == pytest.approx([1, 2 / 3, 2 / 3])
    assert curve.ap == pytest.approx((26 + 25 * 2 / 3) / 101)  # recalls 0 to 0.25, 0.26 to 0.5, and the rest


def test_f1_is_highest_where_another_box_would_cost_more_than_it_gives():
    least, f1 = best_score(box_errors(hits(0.9, 0.7, wrong=0.2), FOUR))
    assert (least, f1) == pytest.approx((0.7, 2 * 2 / (2 + 4)))
    assert best_score(box_errors(hits(wrong=0.2), FOUR)) == (1.0, 0.0)


def test_only_the_planted_kind_costs_anything():
    for kind, box in PLANTED.items():
        wrong = (*box[:5], 0.95)  # surer than all, so that it costs precision
        lost = costs(of([[wrong, *PERFECT[0]], PERFECT[1]]))
        if kind != DUPLICATE:  # the surer of two is right, and the other costs nothing at full recall
            assert lost[kind] > 0.1
        assert {name for name, value in lost.items() if value > 1e-9} <= {kind}
    assert costs(of([PERFECT[0][1:], PERFECT[1]]))[MISSED] == pytest.approx(1 / 3)


def test_ap50_is_that_of_torchmetrics_and_costs_are_those_of_the_papers_own_code():
    found, labels = troubled()
    errors = box_errors(found, labels)
    ap50 = np.mean([curve.ap for curve in box_curves(errors)])
    assert ap50 == pytest.approx(
        float(box_metrics(*map(torch.from_numpy, (found, labels)))["ap50"]), abs=1e-6
    )
    theirs = 28.25392426, 5.29154738, 1.61280536, 2.45354152, 2.89757630, 4.33279740  # tidecv 1.0.1, in %
    assert [100 * value for value in costs(errors).values()] == pytest.approx(theirs, abs=1e-6)
    assert tuple(costs(errors)) == KINDS
