"""Checks that take steps skip any optimizer with a line search."""

import pytest

from imagelab.checks.prepare import prepare
from imagelab.checks.trial import line_search
from imagelab.config.compose import compose, plain


@pytest.mark.parametrize(
    ("words", "searches"),
    [
        (["optimizer=lbfgs"], True),
        (["optimizer=lbfgs", "optimizer._target_=tests.stranger.MyLBFGS"], True),
        (["optimizer=sgd", "optimizer._target_=tests.stranger.Search"], True),
        (["optimizer=sgd"], False),
    ],
)
def test_a_line_search_is_recognised_by_the_facts_of_its_class(words, searches, tmp_path):
    made = compose("train", ["trainer=cpu", *words, "data.batch_size=full", "data.limit=200"])
    assert line_search(prepare(plain(made.cfg or {}), tmp_path, seconds=1)) == searches
