"""The mean does not depend on batch boundaries, and each photo is decoded once."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from imagelab.data.files import Files
from imagelab.data.preprocess import Preprocess
from imagelab.evaluation import networks
from imagelab.evaluation.networks import Networks
from imagelab.evaluation.one_pass import good_enough
from imagelab.evaluation.tta import Flip, MultiScale, TenCrop, Tta, View
from tests.evaluation.subjects import CLASSES, TASK, arrays, asked, member, photos, preprocess, small_net

WAYS = {
    "flip": Flip(),
    "ten_crop": TenCrop(scales=[1.2]),
    "multi_scale": MultiScale(scales=[0.8, 1.0, 1.5], mirror=True),
    "full": TenCrop(scales=[1.0, 1.2, 24]),
}


class Alone(Tta):
    """One view of another way."""

    def __init__(self, view: View) -> None:
        object.__setattr__(self, "view", view)

    def views(self, preprocess, takes):
        return [self.view]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="module", params=["memory", "photos"])
def images(request, tmp_path_factory):
    return arrays(7, 20, 20) if request.param == "memory" else photos(tmp_path_factory.mktemp("photos"), 7)


def subject(images, seed: int = 0):
    shape = None if isinstance(images, Files) else [20, 20]
    return member(small_net(seed), preprocess(16, resize=18 if shape is None else 16), shape)


@pytest.mark.parametrize("name", WAYS)
def test_the_mean_over_views_is_that_of_single_views_run_one_by_one(name, images):
    one = subject(images)
    views = WAYS[name].views(one.predictor.preprocess, lambda _: True)
    # Decoding is the same for all: PNGs have one size.
    singly = torch.stack([asked([one], images, Alone(view))[0] for view in views])
    found = asked([one], images, WAYS[name])[0]
    torch.testing.assert_close(found, singly.mean(0), rtol=0, atol=2e-6)
    assert (singly - singly[0]).abs().max() > 0.01  # the views do differ
    logits = singly.log().mean(0).softmax(1)
    assert (found - logits).abs().max() > 1e-4  # probabilities are averaged, not logits


@pytest.mark.parametrize("name", ["ten_crop", "multi_scale"])
def test_memory_is_bounded_and_the_size_of_a_batch_changes_nothing(name, images):
    one, sizes = subject(images), []
    hook = one.predictor.net.register_forward_pre_hook(lambda _, given: sizes.append(given[0].shape))
    wanted = asked([one], images, WAYS[name], batch_size=500)
    assert max(shape[0] for shape in sizes) > 7
    for batch in (1, 4, 30):
        sizes.clear()
        torch.testing.assert_close(asked([one], images, WAYS[name], batch), wanted, rtol=0, atol=2e-6)
        assert max(shape[0] for shape in sizes) <= batch
    hook.remove()


def test_without_views_it_equals_the_predictor(images):
    one = subject(images)
    if isinstance(images, Files):
        wanted = one.predictor.files(images.paths.tolist())
    else:
        wanted = one.predictor(images.images)
    wanted = torch.stack([torch.as_tensor(row) for row in wanted])
    torch.testing.assert_close(asked([one], images)[0], wanted, rtol=0, atol=1e-6)


def test_members_of_all_kinds_predict_as_each_alone(images):
    first = subject(images)
    larger = replace(first, predictor=member(small_net(5), preprocess(24, resize=26)).predictor)
    grey = member(small_net(6, widths=(4, 4), channels=1), preprocess(16, channels=1), [16, 16])
    turned = replace(subject(images, seed=7), order=[3, 1, 0, 2])
    members = [first, larger, subject(images, seed=2), grey, turned]
    found = asked(members, images, Flip())
    for one, said in zip(members, found, strict=True):
        torch.testing.assert_close(said, asked([one], images, Flip())[0], rtol=0, atol=1e-5)
    plain = asked([replace(turned, order=[0, 1, 2, 3])], images, Flip())[0]
    torch.testing.assert_close(found[4], plain[:, [3, 1, 0, 2]], rtol=0, atol=1e-5)


def test_each_photo_is_decoded_once_for_all_and_large_enough_for_the_largest_scale(tmp_path, monkeypatch):
    files, calls = photos(tmp_path, 5), Counter()
    decode = Files.photo

    def counted(self, place, least):
        calls[place, least] += 1
        return decode(self, place, least)

    monkeypatch.setattr(Files, "photo", counted)
    members = [subject(files), member(small_net(1), preprocess(12, resize=14)), subject(files, seed=2)]
    asked(members, files, TenCrop(scales=[1.0, 40]))
    assert calls == {(place, 40): 1 for place in range(5)}


class OwnSizeOnly(nn.Module):
    """Takes its own input size and no other, as a transformer with fixed positions does."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * size**2, len(CLASSES))

    def forward(self, images):
        return self.layer(images.flatten(1))


def test_a_network_that_takes_its_own_size_only_gets_crops_of_it(images):
    sizes, net = set(), OwnSizeOnly(16)
    net.register_forward_hook(lambda _, given, __: sizes.add(tuple(given[0].shape[-2:])))  # not of failures
    form = subject(images).predictor
    one = member(net, form.preprocess, form.reader.shape)
    asked([one], images, MultiScale(scales=[1.0, 1.5, 2.0], mirror=True))
    assert sizes == {(16, 16)}


def group(count: int) -> list[nn.Module]:
    return [small_net(seed) for seed in range(count)]


def test_stacked_networks_predict_as_one_by_one():
    nets, given = group(4), torch.randn(5, 3, 16, 16)
    together = Networks(nets, passes=1, predictions=TASK.predictions)
    together.ask = networks.stacked(nets)
    found, wanted = together(given), Networks(nets, passes=1, predictions=TASK.predictions)(given)
    assert wanted.shape == (4, 5, len(CLASSES))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert (wanted - wanted[0]).abs().max() > 0.05


@pytest.mark.parametrize("faster", ["stacked", "one_by_one"])
def test_the_faster_way_is_used_if_there_is_enough_to_do(faster, monkeypatch):
    nets, given = group(2), torch.randn(2, 3, 16, 16)
    monkeypatch.setattr(
        networks, "seconds", lambda ask, _: float((ask.__name__ == "one_by_one") == (faster == "stacked"))
    )
    many, few = (
        Networks(nets, passes=1000, predictions=TASK.predictions),
        Networks(nets, passes=2, predictions=TASK.predictions),
    )
    wanted = few(given)
    torch.testing.assert_close(many(given), wanted, rtol=0, atol=1e-5)
    assert many.ask is not None
    assert many.ask.__name__ == ("one_by_one" if faster == "one_by_one" else "<lambda>")
    assert few.ask == few.one_by_one


def test_networks_that_cannot_be_stacked_run_one_by_one():
    class Counts(nn.Module):
        def forward(self, images):
            return images.mean((2, 3)) * float(images.sum().item() > -1e9)  # no number inside of vmap

    together = Networks([Counts(), Counts()], passes=1000, predictions=TASK.predictions)
    assert together(torch.randn(2, 4, 3, 3)).shape == (2, 2, 4)


def test_the_precision_of_the_training_is_kept():
    images, net, form = arrays(6, 16, 16), small_net(0), preprocess(16)
    members = [member(net, form, [16, 16], precision=precision) for precision in ("32-true", "bf16-mixed")]
    full, coarse = (asked([one], images)[0] for one in members)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        wanted = net(form(images.images)).float().softmax(1)
    torch.testing.assert_close(coarse, wanted, rtol=0, atol=1e-6)
    assert (coarse - full).abs().max() > 1e-4


def test_each_member_has_its_own_preprocessing():
    images, net = arrays(6, 16, 16), small_net(0)
    forms: list[Preprocess] = [preprocess(16), replace(preprocess(16), mean=[0.1, 0.5, 0.9])]
    found = asked([member(net, form, [16, 16]) for form in forms], images)
    assert (found[0] - found[1]).abs().max() > 0.01
    for said, form in zip(found, forms, strict=True):
        torch.testing.assert_close(said, asked([member(net, form, [16, 16])], images)[0])


@pytest.mark.parametrize(("short", "stored"), [(32, True), (33, False)])
def test_stored_photos_serve_as_far_as_they_are_large_enough(tmp_path, short, stored):
    kept, came = (photos(tmp_path, 2) for _ in range(2))
    view = View(short, 24, "own", mirrored=False)
    form = SimpleNamespace(views=[view], reader=SimpleNamespace(shape=None))
    data = SimpleNamespace(
        splits={"test": kept},
        named={"test": SimpleNamespace(images=came)},
        preprocess=SimpleNamespace(resize=32),
    )
    assert good_enough(data, "test", [form]) is (kept if stored else came)  # type: ignore[arg-type]
