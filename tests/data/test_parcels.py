import time
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from imagelab.contracts import Batch
from imagelab.data.batches import Address
from imagelab.data.parcels import SLOTS, ParcelLoader
from imagelab.data.workers import make_loader


class Striped(Dataset[Any]):
    """Batches that hold their own number in most pixels, in the memory layout of photos; they grow."""

    def __getitem__(self, address: Address) -> Batch:
        count = len(address.index)
        pixels = torch.full((count, 4, 5, 3), address.step, dtype=torch.uint8)
        pixels[:, :, 0] = torch.arange(3, dtype=torch.uint8)
        return Batch(
            pixels.permute(0, 3, 1, 2),
            torch.from_numpy(address.index),
            torch.from_numpy(address.keys),
            torch.from_numpy(address.index),
            address.epoch,
            address.step,
        )


def addresses(count: int) -> list[Address]:
    return [Address(0, step, np.arange(2 + step // 4), np.arange(2 + step // 4) * 7) for step in range(count)]


@pytest.fixture(scope="module")
def loader() -> ParcelLoader:
    made = make_loader(Striped(), addresses(24), workers=2, pin_memory=False)
    assert isinstance(made, ParcelLoader)
    return made


def assert_same(batches: list[Batch], steps: range) -> None:
    wanted = [Striped()[addresses(24)[step]] for step in steps]
    assert len(batches) == len(wanted)
    for batch, expected in zip(batches, wanted, strict=True):
        assert isinstance(batch, Batch)
        assert (batch.epoch, batch.step) == (expected.epoch, expected.step)
        for got, part in zip(batch[:4], expected[:4], strict=True):
            assert torch.equal(got, part)
            assert got.dtype == part.dtype
        assert batch.images.stride() == expected.images.stride()


def test_batches_that_are_kept_stay_as_they_were_although_memory_is_used_again(loader):
    kept = []
    for batch in loader:
        kept.append(batch)
        time.sleep(0.002)  # the workers fill all that is free
    assert_same(kept, range(24))
    assert len(loader.memory) == 2 * SLOTS


@pytest.mark.parametrize("taken", [1, 2, 5])
def test_an_epoch_that_was_left_does_not_leak_into_the_next(taken):
    """What was dropped may have brought memory that later batches use."""
    loader = make_loader(Striped(), addresses(24), workers=2, pin_memory=False)
    batches = iter(loader)
    left = [next(batches) for _ in range(taken)]
    assert_same(list(loader), range(24))
    assert_same(left, range(taken))


def test_memory_is_sent_once_and_again_only_for_larger_batches(loader):
    list(loader)
    before = {place: memory.data_ptr() for place, memory in loader.memory.items()}
    list(loader)  # as large as in the epoch before, and the slots hold the largest
    sizes = {len(memory) for memory in loader.memory.values()}
    assert {place: memory.data_ptr() for place, memory in loader.memory.items()} == before
    assert sizes <= {count * 60 for count in range(2, 8)}
    assert max(sizes) == 7 * 60


def test_without_workers_and_for_a_gpu_it_is_the_usual_loader():
    assert not isinstance(make_loader(Striped(), addresses(3), workers=0, pin_memory=False), ParcelLoader)
    assert not isinstance(make_loader(Striped(), addresses(3), workers=1, pin_memory=True), ParcelLoader)
