"""Each change against torchvision's, image by image."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from imagelab.augment import randaugment, trivial
from imagelab.augment.changes import CHANGES, Widest, changed

KINDS: dict[str, tuple[Any, Widest]] = {
    "randaugment": (v2.RandAugment(interpolation=v2.InterpolationMode.BILINEAR), randaugment.WIDEST),
    "trivial": (v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR), trivial.WIDEST),
}
NAMES = list(v2.RandAugment._AUGMENTATION_SPACE)


def theirs(kind: str, image: Tensor, number: int, level: int, sign: int) -> Tensor:
    """torchvision's change of one (C, H, W) image, with one of its 31 magnitudes."""
    transform, name = KINDS[kind][0], NAMES[number]
    magnitudes, signed = transform._AUGMENTATION_SPACE[name]
    bins = magnitudes(31, *image.shape[-2:])
    amount = 0.0 if bins is None else float(bins[level]) * (sign if signed else 1)
    return transform._apply_image_or_video_transform(
        image, name, amount, interpolation=transform.interpolation, fill=transform._fill
    )


def pictures(count: int, channels: int) -> Tensor:
    """Blots in noise: smooth enough to see geometry, rough enough to see each pixel."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, channels, 5, 5, generator=generator) * 180
    smooth = torch.nn.functional.interpolate(coarse, (24, 20), mode="bicubic")
    return (smooth + torch.rand(smooth.shape, generator=generator) * 60).clamp(0, 255).byte()


def every_level() -> Iterator[tuple[int, int]]:
    return ((level, sign) for level in range(31) for sign in (-1, 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(len(CHANGES)), ids=NAMES)
def test_each_change_in_each_strength_equals_torchvisions(kind: str, number: int) -> None:
    images, levels = pictures(62, 3), list(every_level())
    expected = torch.stack([theirs(kind, images[i], number, *levels[i]) for i in range(62)])
    signed = torch.tensor([sign * level for level, sign in levels])
    found = changed(images, torch.full((62,), number), signed, KINDS[kind][1])
    away = (found.int() - expected.int()).abs()
    assert (away > 0).float().mean() < 0.03  # where a value lies just between two, rounding may differ
    assert away.max() <= 1
    if NAMES[number] != "Identity":
        assert (found != images).float().mean() > 0.1, "something happened"


@pytest.mark.parametrize("number", range(len(CHANGES)), ids=NAMES)
def test_grey_images_are_changed_as_torchvision_does(number: int) -> None:
    images = pictures(4, 1)
    expected = torch.stack([theirs("trivial", image, number, 20, 1) for image in images])
    found = changed(images, torch.full((4,), number), torch.full((4,), 20), trivial.WIDEST)
    assert (found.int() - expected.int()).abs().max() <= 1


def test_every_image_gets_its_own_change_whatever_the_others_get() -> None:
    images, which = pictures(len(CHANGES), 3), torch.arange(len(CHANGES))
    level = torch.arange(len(CHANGES)) * 4 - 26
    together = changed(images, which, level, trivial.WIDEST)
    for number in range(len(CHANGES)):
        alone = slice(number, number + 1)
        assert together[alone].equal(changed(images[alone], which[alone], level[alone], trivial.WIDEST))
