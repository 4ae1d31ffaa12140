import numpy as np
import pytest

from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.shrunk import Shrunk
from imagelab.data.storage import store_splits
from imagelab.problem import Problem


@pytest.fixture
def make(tmp_path, write_picture, own_cache):
    """Four pictures of so many pixels in files."""

    def made(width, height):
        paths = [write_picture(tmp_path / f"{width}-{height}-{k}.png", k, width, height) for k in range(4)]
        return Files(paths, np.arange(4))

    return made


def stored_splits(splits, storage, *, size=None, train_short=20, pooled=False):
    return store_splits(splits, storage, pooled=pooled, size=size, short=20, train_short=train_short)


def kinds(splits, storage, size=None):
    return [type(images) for images in stored_splits(splits, storage, size=size).values()]


def test_small_pictures_of_one_size_are_kept_in_memory_by_default(make):
    assert kinds({"train": make(32, 32), "val": make(32, 32)}, "auto") == [Arrays, Arrays]
    assert kinds({"train": make(32, 32), "val": make(100, 100)}, "auto") == [Files, Files]


def test_they_stay_in_files_on_request(make):
    assert kinds({"train": make(32, 32)}, "files") == [Files]


def test_photos_in_memory_need_one_size(make):
    assert kinds({"train": make(40, 32)}, "memory", size=16) == [Arrays]
    mixed = make(40, 32)
    mixed = Files(np.concatenate([mixed.paths, make(32, 40).paths]), np.arange(8))
    with pytest.raises(Problem, match=r"data\.size=SIDE"):
        kinds({"train": mixed}, "memory")


def test_shrunk_photos_have_the_short_side_asked_for(make):
    images = stored_splits({"train": make(40, 60)}, "shrunk")["train"]
    assert isinstance(images, Shrunk)
    assert images.photo(2, None).shape == (30, 20, 3)


def test_what_is_in_memory_stays_as_it_is(make):
    arrays = stored_splits({"train": make(8, 8)}, "auto")["train"]
    for storage in ("auto", "files", "shrunk"):
        assert stored_splits({"train": arrays}, storage)["train"] is arrays


def test_training_photos_can_be_kept_larger_than_the_others(make):
    splits = {"train": make(40, 60), "val": make(40, 60)}
    kept = stored_splits(splits, "shrunk", train_short=30)
    assert [images.photo(0, None).shape for images in kept.values()] == [(45, 30, 3), (30, 20, 3)]


@pytest.mark.parametrize(("storage", "folder"), [("memory", "memory"), ("shrunk", "shrunk")])
def test_folds_share_one_stored_pool(tmp_path, write_picture, own_cache, storage, folder):
    files = [write_picture(tmp_path / "ab"[k % 2] / f"{k}.png", k, 24, 24) for k in range(20)]
    whole = Files(files, np.arange(20))
    plain = stored_splits({"train": whole}, storage)["train"]
    for fold in range(4):
        held_out = np.arange(20) % 4 == fold
        splits = {
            "train": whole.select(np.flatnonzero(~held_out)),
            "val": whole.select(np.flatnonzero(held_out)),
        }
        stored = stored_splits(splits, storage, pooled=True)
        for name, images in stored.items():
            assert images.labels.tolist() == splits[name].labels.tolist()
            for place, label in enumerate(images.labels):
                assert pixels(images, place) == pixels(plain, label)
    assert len(list((own_cache / folder).glob("*"))) == 2, "one of the whole set, and one of the pool"


def pixels(images, place):
    shown = images.images[place].numpy() if isinstance(images, Arrays) else images.photo(place, None)
    return shown.tobytes()
