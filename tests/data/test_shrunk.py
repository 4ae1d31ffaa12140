import pickle

import numpy as np
import pytest

from imagelab.contracts import Images
from imagelab.data.decode import decode
from imagelab.data.files import Files
from imagelab.data.folder import Folder
from imagelab.data.shrunk import shrink_once
from tests.fitting import FOLDER

pytestmark = pytest.mark.usefixtures("own_cache")


SIZES = [(60, 40), (40, 60), (20, 18), (41, 41)]


@pytest.fixture
def files(tmp_path, write_picture):
    paths = [
        write_picture(tmp_path / f"{k}.png", seed=k, width=w, height=h) for k, (w, h) in enumerate(SIZES)
    ]
    return Files(paths, np.array([3, 2, 1, 0]))


def test_short_sides_shrink_aspects_stay_and_small_photos_are_untouched(files):
    photos = shrink_once(files, short=20)
    assert isinstance(photos, Images)
    assert [photos.photo(k, None).shape for k in range(4)] == [
        (20, 30, 3),
        (30, 20, 3),
        (18, 20, 3),
        (20, 20, 3),
    ]
    assert (photos.photo(2, None) == decode(files.paths[2])).all()
    blocks = decode(files.paths[0]).reshape(20, 2, 30, 2, 3).mean(axis=(1, 3))  # what halving by areas gives
    assert np.abs(photos.photo(0, None) - blocks).max() <= 1


def test_photos_that_were_shrunk_to_another_size_are_not_taken_for_these(files):
    shrink_once(files, short=20)
    blocks = decode(files.paths[0]).reshape(10, 4, 15, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrink_once(files, short=10).photo(0, None) - blocks).max() <= 1


def test_photos_are_decoded_at_twice_the_size_that_is_stored(files, monkeypatch):
    asked, photo = [], Files.photo
    monkeypatch.setattr(Files, "photo", lambda *given: asked.append(given[2]) or photo(*given))
    shrink_once(files, short=20)
    assert asked == [40] * 4


def test_selecting_and_relabelling_keep_photo_and_label_together(files):
    photos = shrink_once(files, short=20)
    chosen = photos.select(np.array([2, 0]))
    assert (len(chosen), chosen.labels.tolist()) == (2, [1, 3])
    assert (chosen.photo(0, None) == photos.photo(2, None)).all()
    assert chosen.relabel(np.array([7, 8])).labels.tolist() == [7, 8]


def test_a_photo_may_be_changed_without_changing_the_next_epoch(files):
    photos = shrink_once(files, short=20)
    before = photos.photo(0, None)
    photos.photo(0, None)[:] = 0
    assert (photos.photo(0, None) == before).all()


def test_the_second_time_nothing_is_decoded(files, monkeypatch):
    first = shrink_once(files, short=20).photo(1, None)
    monkeypatch.setattr(Files, "photo", lambda *_: pytest.fail("decoded again"))
    assert (shrink_once(files, short=20).photo(1, None) == first).all()


def test_a_worker_gets_the_path_of_the_pixels_not_the_pixels(files):
    photos = shrink_once(files, short=20)
    expected = photos.photo(3, None)
    sent = pickle.dumps(photos)
    assert len(sent) < 2000
    assert (pickle.loads(sent).photo(3, None) == expected).all()


def test_real_photos_shrink_to_the_expected_sizes(hymenoptera):
    source = Folder(root=str(hymenoptera), **FOLDER)
    some = source.splits["val"].select(np.arange(0, 153, 8))
    photos = shrink_once(some, short=128)
    for place in range(len(some)):
        photo, full = photos.photo(place, None), some.photo(place, None)
        assert min(photo.shape[:2]) == 128
        assert photo.shape[1] / photo.shape[0] == pytest.approx(full.shape[1] / full.shape[0], rel=0.01)
        assert photo.mean(axis=(0, 1)) == pytest.approx(full.mean(axis=(0, 1)), abs=1)
