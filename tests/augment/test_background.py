"""Domain randomisation: other grounds behind the object, which itself is only lit anew."""

import numpy as np
import torch
from torch import Tensor

from imagelab.augment.background import Background
from imagelab.randomness import sample_keys

COUNT = 400


def keys() -> Tensor:
    return sample_keys(0, 0, torch.arange(COUNT))


def objects(ground: int) -> Tensor:
    """A grey square with a small pattern in front of a plain ground."""
    images = torch.full((COUNT, 3, 16, 16), ground, dtype=torch.uint8)
    images[:, :, 5:11, 5:11] = 120 + 10 * torch.arange(6, dtype=torch.uint8)
    return images


def change(**words) -> Background:
    return Background(**({"tolerance": 24.0, "light": (1.0, 1.0), "p": 1.0} | words))


def test_the_object_stays_and_every_ground_is_another():
    for ground in (0, 255):
        found = change().batch(objects(ground), keys())
        assert torch.equal(found[:, :, 5:11, 5:11], objects(ground)[:, :, 5:11, 5:11])
        corners = found[:, :, 0, 0].float()
        assert len(corners.unique(dim=0)) > 0.99 * COUNT
        assert abs(corners.mean() - 127.5) < 6  # uniform in [0, 255]; 3 standard errors
        assert abs(corners.std() - 255 / 12**0.5) < 4


def test_grounds_are_plain_graded_cloudy_and_fine_in_equal_shares():
    found = change().batch(objects(0), keys()).float()
    ground = torch.cat([found[:, 0, :4], found[:, 0, 12:]], dim=1)
    plain = (ground.flatten(1).std(dim=1) < 0.5).float().mean()
    assert abs(plain - 1 / 4) < 3 * (3 / 16 / COUNT) ** 0.5
    steps = (ground[:, 0, 1:] - ground[:, 0, :-1]).sign()
    waves = (steps[:, 1:] * steps[:, :-1] < 0).sum(dim=1)
    assert abs((waves > 5).float().mean() - 1 / 4) < 0.1


def test_light_changes_the_object_between_its_limits_and_from_a_side():
    found = change(light=(0.5, 1.5)).batch(objects(0), keys()).float()
    factors = found[:, 0, 5:11, 5:11] / objects(0)[:, 0, 5:11, 5:11]
    assert factors.min() > 0.49
    assert factors.max() < 1.51
    assert abs(factors.mean() - 1) < 0.03
    assert (factors.flatten(1).std(dim=1) > 0.01).float().mean() > 0.9


def test_a_share_is_left_as_it_is_and_photos_are_changed_alike():
    found = change(p=0.5).batch(objects(255), keys())
    same = (found == objects(255)).flatten(1).all(dim=1).float().mean()
    assert abs(same - 0.5) < 3 * (0.25 / COUNT) ** 0.5
    torch.manual_seed(0)
    photo = np.asarray(change().transform(16)(objects(255)[0]))
    assert (photo[:, 5:11, 5:11] == objects(255)[0, :, 5:11, 5:11].numpy()).all()
    assert not (photo[:, 0] == 255).all()
