"""EMA by its closed formula, one update an optimizer step."""

from math import prod

import pytest
import torch

from imagelab.trick.ema import decay_at
from tests.trick.averaging import average_of, recorded


def test_after_n_steps_it_is_the_weighted_sum_of_all_weights(tmp_path):
    parts, steps = recorded(["trick=[ema]", "trick.ema.decay=0.3", "trainer.max_epochs=2"], tmp_path)
    decays = [0, 2 / 11, 3 / 12, 0.3, 0.3, 0.3, 0.3, 0.3]  # (1 + n) / (10 + n), at most 0.3
    shares = [(1 - decay) * prod(decays[n + 1 :]) for n, decay in enumerate(decays)]
    assert sum(shares) == pytest.approx(1)
    average = average_of(parts).weights
    assert sum(name.endswith("running_var") for name in average) > 1  # statistics too
    for name, value in average.items():
        if not value.is_floating_point():
            assert torch.equal(value, steps[-1][name])
            continue
        parts_of_it = [share * step[name].double() for share, step in zip(shares, steps, strict=True)]
        wanted = torch.stack(parts_of_it).sum(0).float()
        torch.testing.assert_close(value, wanted, rtol=1e-5, atol=1e-6, msg=name)


def test_accumulated_batches_do_not_update_the_average(tmp_path):
    words = ["trick=[ema]", "trainer.max_epochs=3", "trainer.accumulate_grad_batches=3"]
    parts, steps = recorded(words, tmp_path)
    assert average_of(parts).updates == len(steps) == parts.trainer.global_step == 6
    assert parts.trainer.fit_loop.epoch_loop.total_batch_idx + 1 == 12


def test_the_decay_warms_up_to_its_value():
    decays = [decay_at(n, 0.99) for n in range(1, 2000)]
    assert decays == sorted(decays)
    assert decays[0] == 2 / 11
    assert decays.index(0.99) + 1 == 890  # (1 + n) / (10 + n) = 0.99
