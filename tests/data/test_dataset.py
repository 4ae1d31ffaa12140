import numpy as np
import torch

from imagelab.augment.apply import PhotoAugment
from imagelab.augment.crop import Crop
from imagelab.augment.flip import Flip
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address
from imagelab.data.dataset import ArrayBatches, PhotoBatches
from imagelab.data.files import Files
from imagelab.data.preprocess import Preprocess

PLAIN = Preprocess(size=8, channels=3, mean=[0.0] * 3, std=[1.0] * 3, resize=10, interpolation="bilinear")


class Recorder:
    """Photos of one grey each, that note how large they were asked for."""

    def __init__(self, count):
        self.labels, self.asked = np.arange(count) * 10, []

    def __len__(self):
        return len(self.labels)

    def photo(self, place, least):
        self.asked.append(least)
        return np.full((10, 14, 3), place, np.uint8)


def address(*index, epoch=3, step=2):
    return Address(epoch, step, np.array(index, np.int64), np.array(index, np.int64) + 100)


def test_a_batch_says_what_it_holds():
    arrays = Arrays(
        torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(5, 3, 8, 8), np.arange(5) * 10
    )
    for dataset in (
        ArrayBatches(arrays, steps=[]),
        PhotoBatches(Recorder(5), preprocess=PLAIN, augment=None),
    ):
        batch = dataset[address(4, 0, 4)]
        assert batch.images.shape == (3, 3, 8, 8)
        assert batch.images.dtype == torch.uint8
        assert batch.images[:, 0, 0, 0].tolist() == [4, 0, 4]
        assert batch.labels.tolist() == [40, 0, 40]
        assert (batch.keys.tolist(), batch.index.tolist()) == ([104, 100, 104], [4, 0, 4])
        assert (batch.epoch, batch.step) == (3, 2)


def test_photos_are_decoded_no_larger_than_needed():
    photos = Recorder(2)
    PhotoBatches(photos, preprocess=PLAIN, augment=None)[address(0, 1)]
    assert photos.asked == [10, 10]


def test_photos_come_channels_last():
    images = PhotoBatches(Recorder(2), preprocess=PLAIN, augment=None)[address(0, 1)].images
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_without_a_crop_the_centre_is_augmented(tmp_path, write_picture):
    files = Files([write_picture(tmp_path / "a.png", width=30, height=20)], np.zeros(1, np.int64))
    as_it_is = PhotoBatches(files, preprocess=PLAIN, augment=None)[address(0)].images
    flipped = PhotoBatches(files, preprocess=PLAIN, augment=PhotoAugment([Flip(p=1)], size=8))[
        address(0)
    ].images
    assert torch.equal(flipped, as_it_is.flip(-1))
    assert np.array_equal(as_it_is[0].permute(1, 2, 0).numpy(), PLAIN.centre(files.photo(0, 10)))


def test_a_crop_sees_the_whole_photo():
    class Edge:
        labels = np.zeros(1)

        def __len__(self):
            return 1

        def photo(self, place, least):
            photo = np.zeros((10, 60, 3), np.uint8)
            photo[:, :20] = 255  # far from the centre
            return photo

    crop = Crop(pad=1, border="zero", size=None, scale=(0.08, 0.1), ratio=(0.9, 1.1), overlaps=[])
    dataset = PhotoBatches(Edge(), preprocess=PLAIN, augment=PhotoAugment([crop], size=8))
    greys = [dataset.pixels(0, key).mean() for key in range(50)]
    assert min(greys) == 0
    assert max(greys) == 255


def test_a_rank_may_have_an_empty_batch():
    assert PhotoBatches(Recorder(2), preprocess=PLAIN, augment=None)[address()].images.shape == (0, 3, 8, 8)
