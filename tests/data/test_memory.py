import multiprocessing
import resource

import numpy as np
import pytest
import torch
from PIL import Image

from imagelab.data.cache import cache_folder
from imagelab.data.decode import decode
from imagelab.data.files import Files
from imagelab.data.folder import Folder
from imagelab.data.memory import decode_once, fits_in_memory
from imagelab.problem import Problem
from tests.fitting import FOLDER

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def files(write_picture):
    """Writes pictures of these sizes."""

    def write(folder, sizes):
        paths = [
            write_picture(folder / f"{k}.png", seed=k, width=wide, height=tall)
            for k, (wide, tall) in enumerate(sizes)
        ]
        return Files(paths, np.arange(len(paths)))

    return write


def test_pictures_of_one_size_keep_every_pixel(tmp_path, files):
    pictures = files(tmp_path, [(12, 10)] * 5)
    arrays = decode_once(pictures, size=None)
    assert arrays.images.shape == (5, 3, 10, 12)
    assert arrays.images.dtype == torch.uint8
    assert arrays.labels.tolist() == [0, 1, 2, 3, 4]
    for image, path in zip(arrays.images, pictures.paths, strict=True):
        assert (image.permute(1, 2, 0).numpy() == decode(path)).all()


def test_small_pictures_of_one_size_are_not_enlarged(tmp_path, files):
    assert decode_once(files(tmp_path, [(12, 10)] * 2), size=64).images.shape == (2, 3, 10, 12)


@pytest.mark.parametrize("sizes", [[(40, 20), (20, 30), (10, 10)], [(40, 20), (40, 20)]])
def test_other_pictures_are_resized_and_centre_cropped(tmp_path, sizes):
    paths = [tmp_path / f"{k}.png" for k in range(len(sizes))]
    for path, (width, height) in zip(paths, sizes, strict=True):
        ramp = np.add.outer(np.arange(height), np.arange(width)).astype(np.float64)
        ramp = np.rint(
            100 + 100 * (ramp - ramp.mean()) / max(width, height)
        )  # 100 in the centre, even slopes
        Image.fromarray(ramp.clip(0, 255).astype(np.uint8)).save(path)
    images = decode_once(Files(paths, np.zeros(len(paths), np.int64)), size=16).images.float()
    assert images.shape == (len(sizes), 3, 16, 16)
    assert images.mean(dim=(1, 2, 3)).sub(100).abs().max() < 2
    assert (images.diff(dim=2) >= 0).all()
    assert (images.diff(dim=3) >= 0).all()


def test_pictures_of_different_sizes_need_a_size(tmp_path, files):
    with pytest.raises(Problem, match=r"different sizes \(10 x 10 to 20 x 30 pixels\).*data\.size=SIDE"):
        decode_once(files(tmp_path, [(10, 30), (20, 10)]), size=None)


def test_the_second_time_nothing_is_decoded_until_a_file_changes(tmp_path, monkeypatch, files, write_picture):
    pictures = files(tmp_path, [(12, 10)] * 3)
    first = decode_once(pictures, size=None).images.clone()
    decoded, photo = [], Files.photo
    monkeypatch.setattr(Files, "photo", lambda *given: decoded.append(given) or photo(*given))
    assert torch.equal(decode_once(pictures, size=None).images, first)
    assert not decoded
    write_picture(tmp_path / "1.png", seed=77)
    again = decode_once(pictures, size=None).images
    assert len(decoded) == 3
    assert (again != first).flatten(1).any(1).tolist() == [False, True, False]


def test_writing_to_the_images_does_not_reach_the_cache(tmp_path, files):
    pictures = files(tmp_path, [(12, 10)] * 2)
    expected = decode_once(pictures, size=None).images.clone()
    decode_once(pictures, size=None).images.zero_()
    assert torch.equal(decode_once(pictures, size=None).images, expected)


def test_a_full_disk_is_reported_in_one_sentence_and_leaves_nothing_behind(tmp_path, files):
    pictures = files(tmp_path, [(40, 40)] * 40)  # 192,000 bytes
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(
            Problem, match=r"cannot take a file of 0\.2 MB \(File too large\).*IMAGELAB_CACHE"
        ):
            decode_once(pictures, size=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(cache_folder("memory").iterdir()) == []
    assert len(decode_once(pictures, size=None)) == 40


def test_a_picture_that_breaks_in_the_meantime_leaves_nothing_behind(tmp_path, files):
    pictures = files(tmp_path, [(12, 10)] * 3)
    pictures.sizes = np.full((3, 2), (12, 10), np.int32)
    (tmp_path / "2.png").write_bytes(b"")
    with pytest.raises(Problem, match=r"2\.png: the file is empty"):
        decode_once(pictures, size=None)
    assert list(cache_folder("memory").iterdir()) == []


def _decode_in_a_process(pictures, start, results):
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    start.wait()
    results.put(int(decode_once(pictures, size=None).images.sum()))


def test_processes_that_decode_at_once_agree(tmp_path, files):
    pictures = files(tmp_path, [(64, 64)] * 60)
    fork = multiprocessing.get_context("fork")
    start, results = fork.Barrier(3), fork.Queue()
    racers = [
        fork.Process(target=_decode_in_a_process, args=(pictures, start, results), daemon=True)
        for _ in range(3)
    ]
    for racer in racers:
        racer.start()
    sums = {results.get(timeout=60) for _ in racers}
    for racer in racers:
        racer.join()
    assert sums == {sum(int(decode(path).sum(dtype=np.int64)) for path in pictures.paths)}
    assert len(list(cache_folder("memory").iterdir())) == 1


def test_small_pictures_of_one_size_fit_in_memory_and_others_do_not(tmp_path, files):
    def fit(sizes):
        return fits_in_memory(
            Files(["x"] * len(sizes), np.zeros(len(sizes), np.int64), np.array(sizes, np.int32))
        )

    assert fit([(32, 32)] * 3)
    assert fit([(96, 64)] * 3)
    assert not fit([(97, 64)] * 3)
    assert not fit([(32, 32), (32, 33)])
    room = 4 * 2**30 // (3 * 96 * 96)
    assert fit(np.full((room, 2), 96))
    assert not fit(np.full((room + 1, 2), 96))
    assert fits_in_memory(files(tmp_path, [(12, 10)] * 2))  # nobody has measured these yet


def test_the_real_small_pictures_are_decoded_exactly(cifar10):
    source = Folder(root=str(cifar10 / "test"), **FOLDER)
    pictures = source.splits["train"]
    assert fits_in_memory(pictures)
    arrays = decode_once(pictures, size=None)
    assert arrays.images.shape == (10_000, 3, 32, 32)
    for place in range(0, 10_000, 997):
        assert (arrays.images[place].permute(1, 2, 0).numpy() == pictures.photo(place, None)).all()
