from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from imagelab.augment.apply import PhotoAugment
from imagelab.augment.crop import Crop
from imagelab.augment.flip import Flip
from imagelab.augment.photo_crop import PhotoCrop
from imagelab.contracts import Least
from imagelab.data.dataset import PhotoBatches
from imagelab.data.decode import decode
from imagelab.data.files import Files
from imagelab.data.preprocess import Preprocess

PLAIN = Preprocess(size=32, channels=3, mean=[0.0] * 3, std=[1.0] * 3, resize=37, interpolation="bilinear")
CROP = Crop(pad=0, border="zero", size=None, scale=(0.08, 1.0), ratio=(0.75, 1.3333), overlaps=[])


class Whole(Files):
    """Photos that are always decoded at their full size."""

    def photo(self, place: int, least: Least) -> np.ndarray:
        return super().photo(place, None)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large photo: blots of all sizes, as in nature."""
    rng = np.random.default_rng(0)
    blots = sum(
        np.asarray(Image.fromarray(rng.normal(size=(side, side)).astype(np.float32)).resize((600, 600)))
        for side in (6, 20, 60, 200, 600)
    )
    path = tmp_path_factory.mktemp("photos") / "camera.jpg"
    grey = (128 + 25 * np.asarray(blots)).clip(0, 255).astype(np.uint8)
    path.write_bytes(simplejpeg.encode_jpeg(np.repeat(grey[:, :, None], 3, 2), quality=95))
    return path


def sharpness(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image[:, :, 1].astype(float), axis=1)).mean())


def test_windows_are_as_sharp_as_those_of_the_whole_photo(camera: Path) -> None:
    augment = PhotoAugment([Flip(p=0.5), CROP], size=32)
    found, whole = (
        PhotoBatches(kind([camera], np.zeros(1)), preprocess=PLAIN, augment=augment)
        for kind in (Files, Whole)
    )
    shares = [sharpness(found.pixels(0, key)) / sharpness(whole.pixels(0, key)) for key in range(30)]
    assert np.mean(shares) > 0.93
    assert min(shares) > 0.8
    apart = [np.abs(found.pixels(0, key).astype(int) - whole.pixels(0, key)).mean() for key in range(30)]
    assert max(apart) < 15  # the same part of the photo; another part differs by 50


def test_a_photo_is_decoded_so_that_the_window_has_at_least_the_pixels_of_the_output() -> None:
    crop = PhotoCrop(side=32, scale=(0.08, 1.0), ratio=(0.75, 1.3333))
    for seed in range(200):
        height, width = (2000, 1500) if seed % 2 else (600, 900)
        left, top, right, bottom = crop.window(height, width, seed)
        short = crop.short_side(height, width, seed)
        scale = short / min(height, width)
        assert 32 <= min(right - left, bottom - top) * scale < 32 + scale * 1.5 + 1
        smaller = crop.window(height // 4, width // 4, seed)
        assert np.abs(4 * np.array(smaller) - [left, top, right, bottom]).max() <= 4


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_short_side_may_depend_on_the_upright_size_of_the_photo(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "held.jpg"
    Image.new("RGB", (160, 96)).save(path, exif=exif)
    asked = []

    def least(height: int, width: int) -> int:
        asked.append((height, width))
        return 24

    shape = decode(path, least).shape[:2]
    assert (asked, shape) == (([(96, 160)], (24, 40)) if orientation == 1 else ([(160, 96)], (40, 24)))
