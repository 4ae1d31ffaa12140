"""Steps, epochs and effective batches of a run, counted one by one."""

import pytest

from imagelab.training.step_plan import StepPlan


@pytest.mark.parametrize("batches", [1, 4, 5, 12])
@pytest.mark.parametrize("windows", [[1, 1, 1], [3, 3], [1, 2, 4, 8, 8], [5]])
def test_every_batch_belongs_to_the_step_found_by_counting(batches, windows):
    step_plan, step = StepPlan(batches=batches, windows=windows, images=16), 0
    for epoch, window in enumerate(windows):
        assert step_plan.epoch(step) == epoch
        first = step
        for batch in range(batches):
            assert step_plan.step(epoch, batch) == step
            if (batch + 1) % window == 0 or batch + 1 == batches:
                assert step_plan.epoch(step) == pytest.approx(epoch + (step - first) / step_plan.steps(epoch))
                step += 1
        assert step_plan.steps(epoch) == step - first
        assert step_plan.batch_size(epoch) == 16 * min(window, batches)
    assert step_plan.total == step
    assert step_plan.epoch(step) == step_plan.epoch(step + 7) == len(windows)
