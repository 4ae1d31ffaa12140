import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from imagelab.metrics.regression import mae, r2, rmse

RNG = np.random.default_rng(0)
TRUE = RNG.normal(50, 10, (200, 3)).astype(np.float32)
PREDICTED = (TRUE + RNG.normal(0, [1, 5, 30], (200, 3))).astype(np.float32)


@pytest.mark.parametrize(
    ("own", "theirs"), [(mae, mean_absolute_error), (rmse, root_mean_squared_error), (r2, r2_score)]
)
@pytest.mark.parametrize("columns", [slice(0, 1), slice(0, 3)])
def test_they_are_those_of_scikit_learn(own, theirs, columns):
    true, predicted = TRUE[:, columns], PREDICTED[:, columns]
    found = float(own(torch.from_numpy(predicted), torch.from_numpy(true)))
    assert found == pytest.approx(theirs(true, predicted), rel=1e-5)


def test_a_value_that_does_not_vary_explains_all_or_nothing():
    same = torch.full((5, 1), 3.0)
    assert r2(same, same) == 1
    assert r2(same + 1, same) == 0
