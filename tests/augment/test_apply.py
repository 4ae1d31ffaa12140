import random

import albumentations
import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from imagelab.augment.apply import PhotoAugment, augment_batch, batch_steps, is_library, mix_batch
from imagelab.augment.color_jitter import ColorJitter
from imagelab.augment.crop import Crop
from imagelab.augment.flip import Flip
from imagelab.augment.mixup import Mixup
from imagelab.problem import Problem
from imagelab.randomness import sample_keys, stream

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
JITTER = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
CROP = Crop(pad=2, border="reflect", size=None, scale=(0.3, 1.0), ratio=(0.75, 1.33), overlaps=[])
LISTS = {
    "own": [CROP, Flip(p=0.5), JITTER],
    "albumentations": [albumentations.RandomCrop(32, 32), albumentations.GaussNoise(p=1)],
    "torchvision": [v2.RandomResizedCrop(32), v2.RandomRotation(20)],
    "all": [v2.RandomRotation(20), CROP, albumentations.GaussNoise(p=1), v2.RandomErasing(p=1)],
}


class Add:
    """Adds to every pixel of a batch, of a photo, of normalised floats."""

    def __init__(self, amount):
        self.amount = amount

    def batch(self, images, keys):
        return images + self.amount

    def transform(self, size):
        return albumentations.Lambda(image=lambda image, **_: image + np.uint8(self.amount), p=1)


class Double(Add):
    def batch(self, images, keys):
        return images * 2


@pytest.mark.parametrize("name", LISTS)
def test_a_photo_is_a_function_of_its_key_whatever_came_before(name):
    augment = PhotoAugment(LISTS[name], size=32)
    first = [augment(PHOTO, key) for key in range(20)]
    np.random.seed(1)  # noqa: NPY002 - the global state must not matter
    random.seed(1)
    torch.manual_seed(1)
    again = [augment(PHOTO, key) for key in reversed(range(20))][::-1]
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert len({photo.tobytes() for photo in first}) == 20


@pytest.mark.parametrize("name", LISTS)
def test_any_key_will_do(name):
    augment = PhotoAugment(LISTS[name], size=32)
    for key in (-(2**63), -1, 0, 2**63 - 1):
        assert augment(PHOTO, key).dtype == np.uint8


def test_the_same_transform_twice_draws_twice():
    noise = [albumentations.GaussNoise(p=1), v2.Identity(), albumentations.GaussNoise(p=1)]
    grey = np.full((32, 32, 3), 128, np.uint8)
    once = PhotoAugment(noise[:1], size=32)(grey, 5).astype(int) - 128
    twice = PhotoAugment(noise, size=32)(grey, 5).astype(int) - 128
    assert abs(np.corrcoef(once.ravel(), (twice - once).ravel())[0, 1]) < 0.3


def test_torchvision_transforms_leave_the_state_of_torch_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    PhotoAugment(LISTS["torchvision"], size=32)(PHOTO, 9)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_order_of_the_list_is_kept():
    ones = torch.ones(2, 1, 2, 2, dtype=torch.uint8)
    keys = torch.arange(2)
    assert augment_batch(ones, keys, batch_steps([Add(1), Double(0)])).unique().tolist() == [4]
    assert augment_batch(ones, keys, batch_steps([Double(0), Add(1)])).unique().tolist() == [3]
    invert = albumentations.InvertImg(p=1)
    assert augment_batch(ones, keys, batch_steps([Add(1), invert, Double(0)])).unique().tolist() == [
        (255 - 2) * 2 % 256
    ]


def test_transforms_of_a_library_change_each_image_of_a_batch_by_its_own_key():
    batch = torch.from_numpy(np.repeat(PHOTO[None, :32, :32], 16, 0)).permute(0, 3, 1, 2)
    keys = sample_keys(0, 0, torch.arange(16))
    changed = augment_batch(batch, keys, batch_steps([albumentations.Affine(rotate=(-45, 45), p=1)]))
    assert len({image.numpy().tobytes() for image in changed}) == 16
    alone = augment_batch(batch[:1], keys[5:6], batch_steps([albumentations.Affine(rotate=(-45, 45), p=1)]))
    assert torch.equal(alone[0], changed[5])


def test_grey_batches_can_take_transforms_of_a_library():
    grey = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    flipped = augment_batch(
        grey, torch.arange(4), batch_steps([albumentations.HorizontalFlip(p=1), v2.RandomVerticalFlip(p=1)])
    )
    assert torch.equal(flipped, grey.flip(-1, -2))


def test_one_augmentation_listed_twice_draws_twice():
    images = torch.arange(64).repeat(400, 1, 8, 1).byte()
    keys = sample_keys(0, 0, torch.arange(400))
    once, twice = (augment_batch(images, keys, batch_steps([Flip(p=0.5)] * n)) for n in (1, 2))
    mirrored = [(changed != images).flatten(1).any(1).float().mean().item() for changed in (once, twice)]
    assert mirrored == [pytest.approx(0.5, abs=0.1)] * 2  # by the same draw twice, nothing would be mirrored


def test_of_several_that_mix_each_batch_gets_one_at_random():
    class Tint:
        mixes_labels = True

        def __init__(self, name):
            self.name = name

        def mix(self, images, targets, rng):
            drawn.append(self.name)
            return images, targets

    drawn: list[str] = []
    for batch in range(600):
        rng = stream(0, "mix", batch)
        mix_batch(torch.ones(2, 1, 2, 2), torch.eye(2), [Tint("a"), Tint("b"), Tint("c")], rng)
    assert len(drawn) == 600
    assert [drawn.count(name) for name in "abc"] == [pytest.approx(200, abs=50)] * 3


def test_mixing_waits_for_its_turn():
    images, targets = torch.rand(4, 3, 8, 8), torch.eye(4)
    mixup = Mixup(alpha=1.0, p=1.0)
    assert torch.equal(augment_batch(images, torch.arange(4), batch_steps([mixup])), images)
    mixed, labels = mix_batch(images, targets, [mixup], np.random.default_rng(0))
    expected, _ = mixup.mix(images, targets, np.random.default_rng(0))
    assert torch.equal(mixed, expected)
    assert torch.allclose(labels.sum(1), torch.ones(4))
    assert PhotoAugment([mixup], size=8)(PHOTO, 0) is PHOTO


def test_it_is_known_which_lists_cut_photos_to_one_shape():
    def shape(*augment):
        return PhotoAugment(augment, size=32).output_shape(32)

    assert shape(CROP, Flip(p=0.5)) == (32, 32, 3)
    assert shape(Flip(p=0.5), v2.RandomResizedCrop(24)) == (24, 24, 3)
    assert shape(Flip(p=0.5)) is None
    assert shape(albumentations.RandomResizedCrop(size=(32, 32), p=0.5)) is None, "it does so sometimes only"


def test_what_cannot_be_applied_is_told():
    with pytest.raises(Problem, match="augment: cannot be applied to a photo of 96 x 64"):
        PhotoAugment([albumentations.RandomCrop(100, 100)], size=32).output_shape(32)
    with pytest.raises(Problem, match="must return uint8 pixels, got float32; remove"):
        PhotoAugment([albumentations.ToFloat()], size=32)(PHOTO, 0)
    with pytest.raises(Problem, match="ToDtype must return uint8 pixels, got float32"):
        PhotoAugment([v2.ToDtype(torch.float32, scale=True)], size=32)(PHOTO, 0)


def test_own_augmentations_are_told_from_those_of_libraries():
    assert [
        is_library(one) for one in (Flip(p=1), Mixup(alpha=1, p=1), v2.Identity(), albumentations.InvertImg())
    ] == [
        False,
        False,
        True,
        True,
    ]
