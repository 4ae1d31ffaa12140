import numpy as np
import pytest
import torch

from imagelab.randomness import sample_keys, seed_step, stream, uniform


def test_keys_differ_for_every_sample_epoch_and_seed():
    index = torch.arange(1000)
    keys = torch.cat([sample_keys(seed, epoch, index) for seed in range(4) for epoch in range(10)])
    assert len(keys.unique()) == 40_000


def test_any_seed_and_epoch_has_keys():
    index = torch.arange(3)
    for seed in (0, 2**31, 2**32 - 1, 2**63, 2**64 - 1):
        for epoch in (0, 1, 2, 90, 10**6):
            assert sample_keys(seed, epoch, index).dtype == torch.int64


def test_a_key_does_not_depend_on_its_neighbours():
    whole = sample_keys(3, 5, torch.arange(100))
    assert torch.equal(whole[[7, 50]], sample_keys(3, 5, torch.tensor([7, 50])))


def test_draws_are_uniform():
    draws = uniform(sample_keys(0, 0, torch.arange(50_000)), "crop", 2)
    assert draws.min() >= 0
    assert draws.max() < 1
    counts = torch.histc(draws, bins=100, min=0, max=1)
    chi_squared = float(((counts - 1000) ** 2 / 1000).sum())
    assert 60 < chi_squared < 150, "99 degrees of freedom: outside of this range once in 1,000 times"


def test_draws_of_neighbours_purposes_and_columns_are_independent():
    keys = sample_keys(0, 0, torch.arange(50_000))
    crop, flip = uniform(keys, "crop", 2), uniform(keys, "flip", 1)
    following = uniform(sample_keys(0, 1, torch.arange(50_000)), "crop", 1)
    columns = torch.stack([crop[:, 0], crop[:, 1], flip[:, 0], following[:, 0], crop[:, 0].roll(1)])
    off_diagonal = torch.corrcoef(columns) - torch.eye(5)
    assert off_diagonal.abs().max() < 0.02, "4.5 standard deviations at 50,000 draws"


def test_more_draws_begin_with_the_same_ones():
    keys = sample_keys(0, 0, torch.arange(5))
    assert torch.equal(uniform(keys, "crop", 4)[:, :2], uniform(keys, "crop", 2))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_draws_the_same_numbers():
    keys = sample_keys(1, 2, torch.arange(1000))
    assert torch.equal(uniform(keys.cuda(), "crop", 3).cpu(), uniform(keys, "crop", 3))


def test_streams_differ_by_each_of_their_counters():
    first = {
        stream(*args).integers(2**62) for args in [(0, "a"), (1, "a"), (0, "b"), (0, "a", 1), (0, "a", 0, 1)]
    }
    assert len(first) == 5
    assert np.array_equal(stream(1, "a", 2).random(5), stream(1, "a", 2).random(5))


def test_a_step_has_its_own_dropout():
    def draw(*place):
        seed_step(*place)
        return torch.rand(8).tolist()

    places = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    assert len({tuple(draw(*place)) for place in places}) == 5
    assert draw(0, 3, 1, 0) == draw(0, 3, 1, 0)


def test_draws_are_those_of_every_version():
    """Else a run would resume with other augmentations after an update."""
    draws = uniform(sample_keys(1, 2, torch.arange(3)), "crop", 2)
    assert (draws * 2**24).int().tolist() == [
        [484235, 4951613],
        [347414, 4848638],
        [3766068, 15584569],
    ]
