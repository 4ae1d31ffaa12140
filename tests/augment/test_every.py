"""What holds for every choice of `configs/augment`, also for one that is added later."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor

from imagelab.build import make
from imagelab.config import menu
from imagelab.config.facts import says
from imagelab.contracts import Inputs, Mix
from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.image_data import ImageData
from tests.fitting import IMAGE_DATA

KNOBS = IMAGE_DATA | {"test_fraction": 0.1}


def node(choice: str) -> dict[str, Any]:
    """What the choice's file says, made to change every image or batch where it has a chance `p`."""
    text = (menu.folder() / "augment" / f"{choice}.yaml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)[choice]
    return found | ({"p": 1.0} if "p" in found and choice != "flip" else {})


CHOICES = [choice for choice in menu.choices("augment") if choice != "none"]
MIXING = [choice for choice in CHOICES if isinstance(make(node(choice)), Mix)]
SINGLE = [choice for choice in CHOICES if choice not in MIXING]


def picture(rng: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    """Smooth blots: (height, width, channels) uint8 that every turn, shift and colour changes."""
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))[..., :channels]


def in_memory(channels: int) -> Arrays:
    rng = np.random.default_rng(0)
    images = np.stack([picture(rng, 32, 32, channels) for _ in range(60)])
    return Arrays(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), np.arange(60) % 3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Files:
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    paths = [folder / f"{place}.png" for place in range(30)]
    for place, path in enumerate(paths):
        Image.fromarray(picture(rng, 40 + place, 60, 3)).save(path)
    return Files(paths, np.arange(30) % 3)


def data_of(images: Any, choice: str, *, batch_size: int, **changes: Any) -> ImageData:
    source: Any = SimpleNamespace(classes=list("abc"), splits={"train": images})
    knobs = KNOBS | {"batch_size": batch_size} | changes
    return ImageData(source=source, augment=[make(node(choice))], **knobs)


def epochs(data: ImageData, count: int) -> Iterator[tuple[int, Inputs]]:
    """The batches of the first epochs, as the network sees them."""
    loader: Any = data.train_loader(epoch=0, start=0, rank=0, ranks=1)
    for epoch in range(count):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            yield epoch, data.prepare_batch(batch, train=True, rank=0)


def by_place(data: ImageData, count: int = 2) -> dict[tuple[int, int], Tensor]:
    """Each image of the first epochs as the network sees it, by (epoch, index)."""
    return {
        (epoch, index): image
        for epoch, seen in epochs(data, count)
        for index, image in zip(seen.index.tolist(), seen.images, strict=True)
    }


def alike(some: dict[tuple[int, int], Tensor], others: dict[tuple[int, int], Tensor]) -> list[bool]:
    both = sorted(some.keys() & others.keys())
    assert len(both) > 20, "batches of another size leave other images out, but not all"
    return [some[place].equal(others[place]) for place in both]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("choice", SINGLE)
def test_an_image_in_memory_is_the_same_in_batches_of_any_size(choice: str, channels: int) -> None:
    images = in_memory(channels)
    found = by_place(data_of(images, choice, batch_size=16))
    assert all(alike(found, by_place(data_of(images, choice, batch_size=7))))
    assert all(alike(found, by_place(data_of(images, choice, batch_size=16))))


@pytest.mark.parametrize("choice", SINGLE)
def test_a_photo_is_the_same_in_any_batch_with_any_number_of_workers(
    choice: str, photos: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGELAB_CACHE", str(tmp_path))
    settings: dict[str, Any] = {"size": 24, "storage": "files"}
    found = by_place(data_of(photos, choice, batch_size=6, **settings))
    assert all(alike(found, by_place(data_of(photos, choice, batch_size=4, workers=2, **settings))))


@pytest.mark.parametrize("choice", SINGLE)
def test_another_epoch_and_another_seed_change_images_in_another_way(choice: str) -> None:
    images = in_memory(3)
    found = by_place(data_of(images, choice, batch_size=16))
    later = {(0, index): image for (epoch, index), image in found.items() if epoch == 1}
    assert np.mean(alike(found, later)) < 0.75
    assert np.mean(alike(found, by_place(data_of(images, choice, batch_size=16, seed=1)))) < 0.75


@pytest.mark.parametrize("choice", MIXING)
def test_a_mix_is_the_same_for_the_same_seed_epoch_step_and_rank_only(choice: str) -> None:
    data = data_of(in_memory(3), choice, batch_size=16)
    again, other = (data_of(in_memory(3), choice, batch_size=16, seed=seed) for seed in (0, 1))
    (batch,) = [one for one in data.train_loader(epoch=0, start=0, rank=0, ranks=1) if one.step == 1]
    found = data.prepare_batch(batch, train=True, rank=0)
    same = again.prepare_batch(batch, train=True, rank=0)
    assert found.images.equal(same.images)
    assert found.targets.equal(same.targets)
    changes = [(data, batch._replace(epoch=1), 0), (data, batch._replace(step=2), 0), (data, batch, 1)]
    for which, address, rank in [*changes, (other, batch, 0)]:
        different = which.prepare_batch(address, train=True, rank=rank)
        assert not found.images.equal(different.images)
        assert not found.targets.equal(different.targets)


@pytest.mark.parametrize("choice", MIXING)
def test_labels_are_mixed_without_gain_or_loss_and_the_hard_ones_stay(choice: str) -> None:
    data = data_of(in_memory(3), choice, batch_size=16)
    labels, seen = data.splits["train"].labels, [inputs for _, inputs in epochs(data, 2)]
    for inputs in seen:
        assert torch.allclose(inputs.targets.sum(1), torch.ones(16))
        assert inputs.labels.tolist() == labels[inputs.index].tolist()
    assert any(((inputs.targets > 0) & (inputs.targets < 1)).any() for inputs in seen)


def test_the_rule_on_batches_of_one_knows_every_mixing_one() -> None:
    blending = [choice for choice in CHOICES if hasattr(make(node(choice)), "mix")]
    assert sorted(blending) == sorted(choice for choice in CHOICES if says(node(choice)).mixes_labels)
    assert {"mixup", "cutmix", "copy_paste"} <= set(blending)
