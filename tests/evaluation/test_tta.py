"""Views: the ten crops to the pixel, the standard scales, and what fits a network."""

import numpy as np
import pytest
import torch
from hydra.utils import get_object
from torchvision.transforms.functional import ten_crop

from imagelab.config import menu
from imagelab.data.reader import Reader
from imagelab.evaluation.tta import Flip, MultiScale, TenCrop, plain
from imagelab.evaluation.views import Form, tensors
from imagelab.problem import Problem
from tests.evaluation.subjects import preprocess

SIZES = [(37, 37), (37, 52), (61, 37), (38, 37), (37, 40), (32, 35)]


def tta_named(name: str):
    node = dict(menu.load(menu.folder() / "tta" / f"{name}.yaml"))
    return get_object(node.pop("_target_"))(**node)


def shown(form: Form, given: list[torch.Tensor], room: int = 64) -> torch.Tensor:
    """All squares in [0, 255], (V, C, side, side) of one image."""
    return torch.cat([form.preprocess.denormalise(some) for some, _ in form.shown(given, room)])


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("path", ["memory", "photo"])
def test_the_ten_crops_are_torchvisions_to_the_pixel(height, width, path):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    form, none = preprocess(32), lambda _: False
    views = TenCrop(scales=[min(height, width)]).views(form, none)
    mine = Form(preprocess=form, reader=Reader(least=32, shape=None), views=views)
    found = shown(mine, [tensor[None]] if path == "memory" else tensors([mine.cut(image)]))
    assert torch.equal(found, torch.stack(ten_crop(tensor, [32, 32])))


@pytest.mark.parametrize(("height", "width"), [(40, 40), (53, 41), (41, 77)])
def test_the_first_view_is_that_of_the_preprocessing_and_the_second_its_mirror(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    form = preprocess(32, resize=37)
    mine = Form(preprocess=form, reader=Reader(least=37, shape=None), views=Flip().views(form, bool))
    once, mirrored = shown(mine, tensors([mine.cut(image)]))
    assert np.array_equal(once.permute(1, 2, 0).numpy(), form.centre(image))
    assert torch.equal(mirrored.flip(-1), once)
    given, form = (
        torch.from_numpy(image).permute(2, 0, 1)[None],
        preprocess(32),
    )  # as images in memory have it
    alone = Form(preprocess=form, reader=mine.reader, views=plain(form))
    assert torch.equal(next(alone.shown([given], 9))[0], form(given))


def test_full_is_ten_crops_of_224_at_each_of_the_five_scales():
    views = tta_named("full").views(preprocess(224, resize=256), bool)
    assert len(views) == 50
    assert {view.side for view in views} == {224}
    assert list(dict.fromkeys(view.short for view in views)) == [224, 256, 384, 480, 640]


@pytest.mark.parametrize("name", menu.choices("tta"))
@pytest.mark.parametrize("size", [8, 28, 32, 224])
def test_every_choice_fits_networks_of_any_input(name, size):
    views = tta_named(name).views(preprocess(size), lambda _: False)
    assert all(view.side == size <= view.short for view in views)
    assert len(set(views)) == len(views) > 1


def test_a_network_of_any_size_gets_the_full_square_and_one_of_fixed_size_a_crop():
    scales = MultiScale(scales=[0.5, 1.0, 1.5], mirror=False)
    free = scales.views(preprocess(32), lambda _: True)
    assert [(view.short, view.side) for view in free] == [(16, 16), (32, 32), (48, 48)]
    assert [view.side for view in tta_named("multi_scale").views(preprocess(32), lambda _: False)] == [32] * 6
    with pytest.raises(Problem, match=r"network's input of 32 pixels, got .* \(16 pixels\); use 32 or more"):
        scales.views(preprocess(32), lambda _: False)


@pytest.mark.parametrize("scales", [[], [0], [-1.5]])
def test_invalid_scales_are_refused(scales):
    with pytest.raises(Problem, match=r"tta\.scales: wants sides above 0"):
        TenCrop(scales=scales).views(preprocess(32), bool)
