"""Copies of photos and small images made here, and the known ones of CIFAR-10."""

import csv

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from imagelab.inspection import copies
from imagelab.inspection.candidates import candidates, features
from imagelab.inspection.duplicates import find_duplicates
from imagelab.inspection.likeness import likeness, registered
from imagelab.inspection.scan import scan
from tests.conftest import archive_folder
from tests.inspection.bad_files import encoded, scene
from tests.inspection.looked_at import collection, config_of

CHANGES = {
    "the same file": lambda image: encoded(image, "PNG"),
    "another format": lambda image: encoded(image, "BMP"),
    "jpeg": lambda image: encoded(image, quality=50),
    "coarse jpeg": lambda image: encoded(image, quality=10),
    "half size": lambda image: encoded(image.resize((image.width // 2, image.height // 2)), "PNG"),
    "mirrored": lambda image: encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), quality=90),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.3), quality=90),
    "grey": lambda image: encoded(image.convert("L"), quality=90),
    "cropped": lambda image: encoded(image.crop((2, 2, image.width - 2, image.height - 1)), quality=90),
}
KINDS = {"the same file": "exact", "another format": "exact", "mirrored": "mirrored"}


@pytest.fixture(scope="module", params=[(120, 100), (64, 64)], ids=["photos", "small"])
def found(request, tmp_path_factory):
    """40 pictures in train, and in test a copy of some of them, one for each change."""
    root, files = tmp_path_factory.mktemp("copies"), {}
    width, height = request.param
    for k in range(40):
        files[f"train/{'ab'[k % 2]}/{k:02}.png"] = encoded(scene(k, width, height), "PNG")
        files[f"test/{'ab'[k % 2]}/{k:02}.png"] = encoded(scene(100 + k, width, height), "PNG")
    for k, change in enumerate(CHANGES.values()):
        files[f"test/{'ab'[k % 2]}/copy{k}.png"] = change(scene(k, width, height))
    seen = scan(collection(root, files), root)
    names = seen.images.names
    return {(names[pair.first], names[pair.second]): pair.kind for pair in find_duplicates(seen).pairs}


@pytest.mark.parametrize(("place", "change"), enumerate(CHANGES))
def test_a_changed_copy_is_found(found, place, change):
    pair = f"train/{'ab'[place % 2]}/{place:02}.png", f"test/{'ab'[place % 2]}/copy{place}.png"
    assert found.get(pair) == KINDS.get(change, "near")


def test_no_other_pair_is_found(found):
    assert len(found) == len(CHANGES)


def test_a_network_finds_cropped_and_mirrored_copies_too(tmp_path):  # room: model/efficientnet_lite0
    files = {f"train/a/{k:02}.png": encoded(scene(k, 64, 64), "PNG") for k in range(30)}
    for k in range(6):
        crop = scene(k, 64, 64).crop((3, 3, 62, 62))
        turned = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if k % 2 else crop
        files[f"test/a/{k:02}.png"] = encoded(turned, quality=90)
    seen = scan(collection(tmp_path, files), tmp_path)
    names = seen.images.names
    wanted = {(f"train/a/{k:02}.png", f"test/a/{k:02}.png", ("near", "mirrored")[k % 2]) for k in range(6)}
    by_pixels, by_network = (
        {(names[pair.first], names[pair.second], pair.kind) for pair in find_duplicates(seen, how).pairs}
        for how in (None, "weights")
    )
    assert by_network == wanted
    assert len(by_pixels & wanted) < 6


def test_the_page_says_what_likeness_is(tmp_path, monkeypatch):
    files = {f"train/a/{k}.png": encoded(scene(0, 64, 64), "PNG") for k in range(2)}
    cfg = config_of(tmp_path)
    seen = scan(collection(tmp_path, files), tmp_path)
    found = find_duplicates(seen)
    monkeypatch.setattr(copies, "find_duplicates", lambda seen, features: found)
    said = {}
    for how in (None, "weights"):
        said[how] = copies.copies(seen, cfg | {"features": how}, tmp_path).sections[0].about
    assert "Likeness: the correlation of their fine structure." in said[None]
    assert "the mean of the cosine of their features and the correlation of their fine" in said["weights"]
    assert "at the best stretch" in said["weights"]


def test_coarse_features_correlate_only_with_themselves_at_any_brightness():
    small = np.random.default_rng(0).integers(60, 190, (40, 8, 8, 3), dtype=np.uint8)
    lit = (small * 0.5 + 20).astype(np.uint8)
    alike = features(small) @ features(lit).T
    assert np.diag(alike).min() > 0.99
    assert alike[~np.eye(40, dtype=bool)].max() < 0.7


def test_flat_images_resemble_nothing():
    flat = np.full((3, 8, 8, 3), 77, dtype=np.uint8)
    assert not features(flat).any()


def test_the_search_gives_each_pair_once_and_says_which_are_mirrored():
    small = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    small[3], small[4] = small[1], small[0, :, ::-1]
    _, search = candidates(small, 0.9)
    pairs = {(i, j, mirrored) for some, mirrored in search for i, j in some.tolist()}
    assert pairs == {(1, 3, False), (0, 4, True)}


def test_a_set_of_similar_images_raises_the_threshold():
    rng = np.random.default_rng(0)
    alike = rng.integers(0, 256, (8, 8, 3)) + rng.normal(0, 20, (2000, 8, 8, 3))
    least, search = candidates(alike.clip(0, 255).astype(np.uint8), 0.9)
    assert least > 0.92
    assert sum(len(some) for some, _ in search) < 20 * 2000


def test_a_shift_of_three_pixels_keeps_the_likeness_and_another_picture_has_none():
    first = np.stack([np.asarray(scene(k, 48, 48)) for k in range(8)])
    inside = first[:, 8:40, 8:40]
    shifted = first[:, 5:37, 11:43]
    own = likeness(inside, shifted, np.stack([np.arange(8)] * 2, axis=1))
    other = likeness(inside, shifted, np.stack([np.arange(8), np.roll(np.arange(8), 1)], axis=1))
    assert own.min() > 0.65
    assert other.max() < 0.6


def test_a_wide_crop_is_alike_once_it_is_stretched_and_another_picture_is_not():
    wholes = [scene(k, 96, 96) for k in range(8)]
    first, crops = (
        np.stack([np.asarray(one.resize((32, 32), Image.Resampling.BOX)) for one in some])
        for some in (
            wholes,
            [one.crop((9, 2, 92, 90)) for one in wholes],
        )  # 14% of the width, 8% of the height
    )
    own = likeness(first, crops, np.stack([np.arange(8)] * 2, axis=1))
    stretched = registered(first, crops)
    assert stretched.min() > own.min() + 0.2
    assert (stretched >= own - 1e-5).all()
    assert registered(first, np.roll(crops, 1, axis=0)).max() < stretched.min()
    np.testing.assert_allclose(registered(first, first), 1, atol=0.05)


@pytest.fixture(scope="module")
def known_copies():
    """ciFAIR's pairs of train and test: the names of both files."""
    table = archive_folder() / "cifar10_truth" / "train_test_duplicates.csv"
    if not table.exists():
        pytest.skip(f"no {table}: set IMAGELAB_TEST_DATA to a folder that holds it")
    with table.open(newline="") as file:
        return {(row["test"], row["train"]) for row in csv.DictReader(file)}


@pytest.mark.data
def test_among_some_images_of_cifar10_most_known_copies_are_found(cifar10, known_copies, tmp_path):
    """Both images of every known pair, and as many others; the whole set is for the slow test."""
    rng = np.random.default_rng(0)
    others = sorted(str(path.relative_to(cifar10)) for path in cifar10.glob("t*/*/*1.jpg"))
    names = {name for pair in known_copies for name in pair} | set(rng.choice(others, 600).tolist())
    rows = [f"{cifar10 / name},{name.split('/')[1]},{name.split('/')[0]}" for name in sorted(names)]
    (tmp_path / "some.csv").write_text("\n".join(["file,label,split", *rows]))
    seen = scan(collection(cifar10, {}, manifest=str(tmp_path / "some.csv")), tmp_path)
    pairs = {tuple(sorted(seen.images.names[list(pair[:2])])) for pair in find_duplicates(seen).pairs}
    assert len(known_copies & pairs) >= 160


@pytest.mark.data
@pytest.mark.slow
def test_inspecting_cifar10_finds_known_copies_in_little_time_and_memory(cifar10, known_copies, tmp_path):
    from benchmarks.inspect_cifar10 import inspected

    used = inspected(cifar10, tmp_path / "out")
    assert used.cpu_seconds <= 90
    assert used.megabytes <= 500
    with (tmp_path / "out" / "duplicates.csv").open(newline="") as file:
        pairs = [{row["first_file"], row["second_file"]} for row in csv.DictReader(file)]
    across = {tuple(sorted(pair)) for pair in pairs if len({name.split("/")[0] for name in pair}) == 2}
    assert len(across) <= 450
    assert len(across & known_copies) >= 160
