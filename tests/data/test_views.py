"""Several views of each image: on both ways of the data, each with draws of its own."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from imagelab.data.batches import Address
from imagelab.data.image_data import ImageData
from imagelab.data.views import Views
from tests.fitting import built

ADDRESS = Address(3, 5, np.array([7, 2, 9]), np.array([11, 12, 13]))


class Asked(Dataset):
    """Gives back the address it is asked for."""

    def __getitem__(self, address: Address) -> Address:
        return address


def test_a_view_is_all_images_again_with_new_keys():
    epoch, step, index, keys = Views(Asked(), count=3)[ADDRESS]
    assert (epoch, step, index.tolist()) == (3, 5, [7, 2, 9] * 3)
    assert keys[:3].tolist() == [11, 12, 13]
    assert len(set(keys.tolist())) == 9
    assert keys.tolist() == Views(Asked(), count=3)[ADDRESS][3].tolist()


def data_of(photos, folder, *words: str) -> ImageData:
    root = ["data=folder", f"data.root={photos}", "data.size=16", "data.batch_size=8", "data.workers=0"]
    return built(["task=simclr", "trainer=cpu", "augment=[crop,noise]", *root, *words], folder).data


@pytest.mark.parametrize("storage", ["memory", "files", "shrunk"])
def test_the_views_of_an_image_differ_and_are_reproducible_per_epoch(storage, photos, tmp_path):
    data = data_of(photos, tmp_path, f"data.storage={storage}")

    def shown(epoch: int) -> list[torch.Tensor]:
        loader = data.train_loader(epoch=epoch, start=0, rank=0, ranks=1)
        return [data.prepare_batch(batch, train=True, rank=0).images for batch in loader]

    first, again, later = shown(0), shown(0), shown(1)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], later[0])
    for batch in first:
        one, other = batch.chunk(2)
        assert len(one) == 8
        assert all(not torch.equal(image, view) for image, view in zip(one, other, strict=True))


@pytest.mark.parametrize("storage", ["memory", "files", "shrunk"])
def test_val_has_views_too_always_the_same(storage, photos, tmp_path):
    data = data_of(photos, tmp_path, f"data.storage={storage}")
    (first, again) = (next(iter(data.eval_loader("val", rank=0, ranks=1))) for _ in range(2))
    one, other = data.prepare_batch(first, train=False, rank=0).images.chunk(2)
    assert torch.equal(data.prepare_batch(again, train=False, rank=0).images, torch.cat([one, other]))
    assert not torch.equal(one, other)
    assert torch.equal(*first.index.chunk(2))


def test_code_that_wants_plain_images_still_gets_them(photos, tmp_path):
    sample = data_of(photos, tmp_path / "a", "data.storage=memory").sample(6)
    plain = data_of(photos, tmp_path / "b", "data.storage=memory", "task=classify").sample(6)
    assert torch.equal(sample, plain)
