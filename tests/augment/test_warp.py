from collections.abc import Callable
from typing import Any

import albumentations
import numpy as np
import pytest
import torch

from imagelab.augment.apply import PhotoAugment
from imagelab.augment.lens import Lens, bent
from imagelab.augment.noise import Noise
from imagelab.augment.resnet import ResNet
from imagelab.augment.rotate import Rotate, rotated
from imagelab.augment.shear import Shear, sheared
from imagelab.augment.stretch import Stretch, stretched
from imagelab.augment.translate import Translate, translated
from imagelab.augment.warp import Border, warp
from imagelab.contracts import Augment
from tests.augment.pictures import assert_rounded, grain, keys, looked_up, smooth

BORDERS: list[Border] = ["reflect", "zero"]


def all_of_them(border: Border = "reflect") -> list[Augment]:
    return [
        Rotate(degrees=30, border=border),
        Translate(horizontal=0.2, vertical=0.3, border=border),
        Stretch(width=(0.7, 1.4), height=(0.8, 1.2), border=border),
        Shear(horizontal=20, vertical=10, border=border),
        Lens(strength=0.3, border=border),
        Noise(std=(5, 20)),
        ResNet(shortest=256, longest=480),
    ]


ALL = pytest.mark.parametrize("augment", all_of_them(), ids=lambda one: type(one).__name__)


@ALL
def test_the_same_epoch_repeats_and_the_next_differs(augment: Augment):
    images = grain(64, 3, 12, 14)
    first = augment.batch(images, keys(64))
    assert augment.batch(images, keys(64)).equal(first)
    another = augment.batch(images, keys(64, epoch=1))
    assert (another != first).flatten(1).any(1).float().mean() > 0.9


@ALL
def test_an_image_is_changed_alike_whatever_else_is_in_its_batch(augment: Augment):
    images = grain(40, 3, 12, 14)
    whole = augment.batch(images, keys(40))
    alone = torch.cat([augment.batch(images[i : i + 1], keys(40)[i : i + 1]) for i in range(40)])
    assert whole.equal(alone)
    assert (whole.shape, whole.dtype) == (images.shape, torch.uint8)


@ALL
def test_a_photo_is_a_function_of_its_key(augment: Augment):
    photo = np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    change = PhotoAugment([augment], size=40)
    first = [change(photo, key).tobytes() for key in range(10)]
    assert [change(photo, key).tobytes() for key in reversed(range(10))][::-1] == first
    assert len(set(first)) == 10


@ALL
def test_it_is_an_augmentation_of_single_images(augment: Augment):
    assert isinstance(augment, Augment)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("shape", [(3, 9, 12), (1, 32, 32), (3, 224, 223), (1, 1, 5)])
def test_nothing_to_do_gives_back_the_identical_bytes(border: Border, shape: tuple[int, ...]):
    images, nothing, one = grain(3, *shape), torch.zeros(3), torch.ones(3)
    for result in (
        rotated(images, nothing, border),
        translated(images, nothing, nothing, border),
        stretched(images, one, one, border),
        sheared(images, nothing, nothing, border),
        bent(images, nothing, border),
        Noise(std=(0, 0)).batch(images, keys(3)),
    ):
        assert result.equal(images)


@pytest.mark.parametrize("border", BORDERS)
def test_any_place_is_looked_up_as_the_textbook_says(border: Border):
    images, shift = grain(1, 3, 7, 10), np.random.default_rng(0).uniform(-25, 25, (2, 7, 10))
    rows, columns = np.mgrid[0:7, 0:10] - np.array([3, 4.5])[:, None, None]
    x, y = torch.from_numpy(columns + shift[0])[None].float(), torch.from_numpy(rows + shift[1])[None].float()
    expected = looked_up(images[0].numpy(), lambda x, y: (x + shift[0], y + shift[1]), border)
    assert_rounded(warp(images, x, y, border)[0], expected)


def fixed(augment: Any, **draws: Any) -> Any:
    """The transform of photos with its draw held."""
    transform = augment.transform(64)
    for name, value in draws.items():
        assert hasattr(transform, name)
        setattr(transform, name, value)
    return albumentations.Compose([transform])


def of_one(function: Callable[..., torch.Tensor], *amounts: float) -> Callable[..., torch.Tensor]:
    return lambda images, border: function(images, *(torch.tensor([amount]) for amount in amounts), border)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(
    ("place", "draws", "batch"),
    [
        (0, {"rotate": (20, 20)}, of_one(rotated, 20.0)),
        (0, {"rotate": (-130, -130)}, of_one(rotated, -130.0)),
        (1, {"translate_percent": {"x": (0.2, 0.2), "y": (-0.1, -0.1)}}, of_one(translated, 24.0, -9.0)),
        (2, {"scale": {"x": (0.8, 0.8), "y": (1.3, 1.3)}}, of_one(stretched, 0.8, 1.3)),
        (3, {"shear": {"x": (20, 20), "y": (0, 0)}}, of_one(sheared, 20.0, 0.0)),
        (3, {"shear": {"x": (-15, -15), "y": (10, 10)}}, of_one(sheared, -15.0, 10.0)),
        (4, {"distort_limit": (0.3, 0.3)}, of_one(bent, 0.3)),
        (4, {"distort_limit": (-0.2, -0.2)}, of_one(bent, -0.2)),
    ],
)
def test_photos_and_batches_are_changed_alike(border: Border, place: int, draws: Any, batch: Any):
    photo = smooth(90, 120)
    found = fixed(all_of_them(border)[place], **draws)(image=photo)["image"].astype(float)
    image = torch.from_numpy(photo).permute(2, 0, 1)[None]
    expected = batch(image, border)[0].permute(1, 2, 0).numpy()
    # On average: cv2 counts in 32nds of a pixel, and albumentations' lens is centred half a pixel off.
    assert np.abs(found - expected).mean() < 1
    assert np.abs(expected.astype(float) - photo).mean() > 5, "the picture shows the change"
