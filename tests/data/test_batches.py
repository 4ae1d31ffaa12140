import numpy as np
import pytest

from imagelab.data.batches import EvalBatches, TrainBatches

LABELS = np.arange(103) % 3


def train_batches(**changes):
    settings = {"batch_size": 10, "balance": False, "seed": 0, "rank": 0, "ranks": 1, "epoch": 0, "start": 0}
    return TrainBatches(changes.pop("labels", LABELS), **(settings | changes))


def places(sampler):
    return np.concatenate([address.index for address in sampler])


def test_an_epoch_shows_each_sample_once_and_drops_different_ones_each_time():
    left_out = set()
    for epoch in range(30):
        seen = places(train_batches(epoch=epoch))
        assert len(set(seen)) == len(seen) == 100
        left_out |= set(range(103)) - set(seen)
    assert len(left_out) > 40


def test_the_order_follows_from_seed_and_epoch():
    assert np.array_equal(places(train_batches()), places(train_batches()))
    assert not np.array_equal(places(train_batches()), places(train_batches(epoch=1)))
    assert not np.array_equal(places(train_batches()), places(train_batches(seed=1)))


def test_starting_within_an_epoch_gives_the_rest_of_it():
    whole = list(train_batches(epoch=4))
    rest = list(train_batches(epoch=4, start=7))
    assert [address.step for address in rest] == [7, 8, 9]
    for one, other in zip(whole[7:], rest, strict=True):
        assert np.array_equal(one.index, other.index)
        assert np.array_equal(one.keys, other.keys)


def test_the_epoch_after_a_resumed_one_is_whole():
    sampler = train_batches(epoch=4, start=7)
    assert (len(sampler), len(list(sampler))) == (10, 3)
    sampler.set_epoch(4)
    assert len(list(sampler)) == 3, "whoever asks twice for the rest of an epoch gets the same"
    sampler.set_epoch(5)
    assert len(list(sampler)) == 10


@pytest.mark.parametrize("balance", [False, True])
def test_two_ranks_together_see_what_one_process_with_the_doubled_batch_sees(balance):
    one = list(train_batches(batch_size=20, balance=balance))
    pairs = zip(*[train_batches(rank=rank, ranks=2, balance=balance) for rank in range(2)], strict=True)
    for whole, parts in zip(one, pairs, strict=True):
        assert np.array_equal(whole.index, np.concatenate([part.index for part in parts]))
        assert np.array_equal(whole.keys, np.concatenate([part.keys for part in parts]))


def test_balance_shows_every_class_equally_often():
    labels = np.repeat([0, 1, 2], [90, 9, 3])
    shown = places(train_batches(labels=labels, balance=True, batch_size=102))
    assert np.abs(np.bincount(labels[shown]) - 34).max() <= 1
    rare = np.bincount(shown, minlength=102)[90:]
    assert rare.min() >= 3, "all images of rare classes take turns"


def test_an_image_that_appears_twice_in_an_epoch_has_different_draws():
    labels = np.repeat([0, 1], [95, 5])
    sampler = train_batches(labels=labels, balance=True)
    keys = np.concatenate([address.keys for address in sampler])
    assert len(set(places(sampler))) < 70
    assert len(set(keys)) == 100


@pytest.mark.parametrize(("count", "ranks"), [(103, 1), (103, 2), (41, 2), (40, 4), (5, 2), (8, 3)])
def test_evaluation_sees_every_sample_once_with_equally_many_batches_per_rank(count, ranks):
    samplers = [EvalBatches(count, batch_size=10, rank=rank, ranks=ranks) for rank in range(ranks)]
    seen = np.concatenate([places(sampler) for sampler in samplers])
    assert sorted(seen) == list(range(count))
    assert len({len(list(sampler)) for sampler in samplers} | {len(sampler) for sampler in samplers}) == 1
    assert max(len(address.index) for sampler in samplers for address in sampler) <= 10
