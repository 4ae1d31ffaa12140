from types import SimpleNamespace

import albumentations
import lightning
import numpy as np
import pytest
import torch
from torch import nn

from imagelab.augment.color_jitter import ColorJitter
from imagelab.augment.crop import Crop
from imagelab.augment.flip import Flip
from imagelab.augment.mixup import Mixup
from imagelab.contracts import Inputs
from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.image_data import ImageData
from imagelab.problem import Problem
from tests.fitting import IMAGE_DATA

CROP = Crop(pad=2, border="reflect", size=None, scale=(0.3, 1.0), ratio=(0.75, 1.33), overlaps=[])
JITTER = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)


def arrays(count=150, classes=3, side=8):
    pixels = torch.randint(
        0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    return Arrays(pixels, np.arange(count) % classes)


def image_data(images=None, augment=(), names="abc", **changes):
    source = SimpleNamespace(classes=list(names), splits={"train": arrays() if images is None else images})
    return ImageData(source=source, augment=list(augment), **(IMAGE_DATA | changes))


@pytest.fixture(scope="module")
def photos(tmp_path_factory, write_picture):
    """The same picture in 56 files: what differs after augmentation are the draws."""
    folder = tmp_path_factory.mktemp("photos")
    return Files(
        [write_picture(folder / f"{k}.png", seed=0, width=40, height=30) for k in range(56)],
        np.arange(56) % 2,
        contents=np.arange(56, dtype=np.uint64),  # as if they differed: copies would all lie in one split
    )


def photo_data(photos, **changes):
    augment = [CROP, Flip(p=0.5), JITTER, albumentations.GaussNoise(p=1)]
    return image_data(photos, augment, names="ab", size=24, batch_size=8, storage="files", **changes)


def epochs(data, count, *, epoch=0, start=0):
    """The batches of some epochs, from one batch on, as the network sees them."""
    loader = data.train_loader(epoch=epoch, start=start, rank=0, ranks=1)
    for number in range(epoch, epoch + count):
        loader.sampler.set_epoch(number)
        yield from (data.prepare_batch(batch, train=True, rank=0) for batch in loader)


class Watch(lightning.LightningModule):
    """Trains one weight and keeps what it was shown."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.weight, self.stop_at = nn.Parameter(torch.zeros(1)), stop_at
        self.seen, self.evaluated = [], []

    def training_step(self, batch, batch_idx):
        self.seen.append((self.current_epoch, batch_idx, batch))
        return (batch.images.mean() * self.weight).sum()

    def on_train_batch_end(self, outputs, batch, batch_idx):
        if (self.current_epoch, batch_idx) == self.stop_at:
            self.trainer.save_checkpoint(self.trainer.default_root_dir + "/inside.ckpt")

    def on_train_epoch_end(self):
        if self.stop_at == (self.current_epoch, "end"):
            self.trainer.save_checkpoint(self.trainer.default_root_dir + "/inside.ckpt")

    def validation_step(self, batch, batch_idx):
        self.evaluated.append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(data, folder, *, stop_at=None, resume=None, **settings):
    module = Watch(stop_at)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        default_root_dir=folder,
        enable_checkpointing=False,
        accelerator="cpu",
        max_epochs=3,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        **quiet,
        **settings,
    )
    trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    return module


def test_everything_is_known_after_construction():
    data = image_data()
    assert data.classes == ["a", "b", "c"]
    assert data.counts == {"train": 108, "val": 12, "test": 30}
    assert (data.in_channels, data.size, data.batch_size, data.has_test) == (3, 8, 10, True)
    assert (data.steps(1), data.steps(2)) == (10, 5)


def test_inputs_are_normalised_by_the_training_images_alone():
    data = image_data(batch_size="full")
    (seen,) = epochs(data, 1)
    assert seen.images.mean((0, 2, 3)).abs().max() < 1e-5
    assert (seen.images.std((0, 2, 3)) - 1).abs().max() < 1e-3
    brighter = data.splits["val"].images
    brighter.fill_(255)
    assert image_data(batch_size="full").preprocess == data.preprocess


def test_a_full_batch_holds_all_training_images():
    data = image_data(batch_size="full")
    assert (data.batch_size, data.steps(1), data.steps(2)) == (108, 1, 1)
    assert [len(seen.labels) for seen in epochs(data, 1)] == [108]


@pytest.mark.parametrize(
    ("batch_size", "ranks", "told"),
    [
        (
            512,
            1,
            r"data\.batch_size: 512 is more than the 108 training images; .*full.* 108 or less",
        ),
        (60, 2, "60 on each of 2 devices is more than the 108 training images; .*full.* 54 or less"),
    ],
)
def test_a_batch_that_is_larger_than_the_set_is_refused(batch_size, ranks, told):
    with pytest.raises(Problem, match=told):
        image_data(batch_size=batch_size).steps(ranks)


def test_what_the_first_step_would_refuse_is_refused_at_once():
    large = Crop(pad=0, border="zero", size=9, scale=(0.1, 1.0), ratio=(1.0, 1.0), overlaps=[])
    with pytest.raises(Problem, match=r"augment\.crop\.size=9 is larger than the image"):
        image_data(augment=[large])


def test_training_images_are_augmented_and_others_are_not():
    data = image_data(augment=[Flip(p=1.0)])
    batch = next(iter(data.train_loader(epoch=0, start=0, rank=0, ranks=1)))
    plain = data.prepare_batch(batch, train=False, rank=0)
    assert torch.equal(data.prepare_batch(batch, train=True, rank=0).images, plain.images.flip(-1))
    assert torch.equal(data.preprocess.denormalise(plain.images), data.splits["train"].images[batch.index])
    assert torch.equal(plain.targets, plain.labels)


def test_mixing_differs_by_batch_epoch_and_rank_and_is_reproducible():
    data = image_data(augment=[Mixup(alpha=1.0, p=1.0)])
    first, again = ([seen.targets for seen in epochs(data, 3)] for _ in range(2))
    shares = {float(targets.max(1).values.min()) for targets in first}
    assert len(shares) == 30
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    batch = next(iter(data.train_loader(epoch=0, start=0, rank=0, ranks=2)))
    mixed = [data.prepare_batch(batch, train=True, rank=rank).targets for rank in range(2)]
    assert not torch.equal(*mixed)
    assert not data.prepare_batch(batch, train=False, rank=0).targets.is_floating_point()


def test_mixed_targets_are_those_of_the_labels():
    data = image_data(augment=[Mixup(alpha=1.0, p=1.0)])
    for seen in epochs(data, 1):
        assert torch.allclose(seen.targets.sum(1), torch.ones(10))
        assert (seen.targets.gather(1, seen.labels[:, None]) > 0).all()


@pytest.mark.parametrize("workers", [0, 2, 4])
def test_no_draw_is_ever_repeated(photos, workers, own_cache):
    data = photo_data(photos, workers=workers)
    drawn = [image.numpy().tobytes() for seen in epochs(data, 4) for image in seen.images]
    assert len(drawn) == 4 * 40
    assert len(set(drawn)) == len(drawn)


def test_pixels_depend_neither_on_the_workers_nor_on_where_a_run_resumes(photos, own_cache):
    expected = list(epochs(photo_data(photos), 3))
    for workers in (1, 2, 3):
        data = photo_data(photos, workers=workers)
        found = list(epochs(data, 3))
        resumed = list(epochs(data, 2, epoch=1, start=3))
        for one, other in [*zip(expected, found, strict=True), *zip(expected[5 + 3 :], resumed, strict=True)]:
            assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_transforms_of_a_library_work_on_images_in_memory_too():
    data = image_data(augment=[Flip(p=1.0), albumentations.InvertImg(p=1), Flip(p=1.0)], workers=2)
    batch = next(iter(data.train_loader(epoch=0, start=0, rank=0, ranks=1)))
    assert torch.equal(batch.images, 255 - data.splits["train"].images[batch.index])
    assert torch.equal(data.prepare_batch(batch, train=True, rank=0).images, data.preprocess(batch.images))


def test_evaluation_shows_every_image_once():
    data = image_data()
    for ranks in (1, 2):
        loaders = [data.eval_loader("test", rank=rank, ranks=ranks) for rank in range(ranks)]
        index = torch.cat([batch.index for loader in loaders for batch in loader])
        assert index.sort().values.tolist() == list(range(30))


def test_balance_limit_and_classes_arrive():
    data = image_data(limit=20, classes=["c", "a"], balance=True, batch_size=5)
    assert data.counts == {"train": 20, "val": 8, "test": 20}
    labels = torch.cat([seen.labels for seen in epochs(data, 1)])
    assert labels.bincount().tolist() == [10, 10]


def test_a_trainer_gets_what_the_network_needs(tmp_path):
    data = image_data(augment=[Flip(p=0.5), Mixup(alpha=1.0, p=1.0)])
    module = fit(data, tmp_path)
    assert [place[:2] for place in module.seen] == [(epoch, step) for epoch in range(3) for step in range(10)]
    expected = list(epochs(data, 3))
    for (_, _, seen), own in zip(module.seen, expected, strict=True):
        assert isinstance(seen, Inputs)
        assert all(torch.equal(*pair) for pair in zip(seen, own, strict=True))
    evaluated = torch.cat([batch.index for batch in module.evaluated[:2]])
    assert evaluated.tolist() == list(range(12))
    assert not module.evaluated[0].targets.is_floating_point()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("stop_at", "then", "settings"),
    [
        ((0, 3), (0, 4), {}),
        ((1, 6), (1, 7), {}),
        ((1, "end"), (2, 0), {}),
        ((1, "end"), (2, 0), {"limit_train_batches": 6}),
        ((1, 2), (1, 3), {"limit_train_batches": 6}),
    ],
)
def test_a_trainer_resumes_where_it_was(tmp_path, stop_at, then, settings, workers):
    augment = [Flip(p=0.5), albumentations.GaussNoise(p=1), Mixup(alpha=1.0, p=1.0)]
    whole = fit(image_data(augment=augment, workers=workers), tmp_path, stop_at=stop_at, **settings)
    data = image_data(augment=augment, workers=workers)
    rest = fit(data, tmp_path, resume=tmp_path / "inside.ckpt", **settings)
    assert rest.seen[0][:2] == then
    for one, other in zip(whole.seen[-len(rest.seen) :], rest.seen, strict=True):
        assert one[:2] == other[:2]
        assert all(torch.equal(*pair) for pair in zip(one[2], other[2], strict=True))


def test_half_precision_networks_get_images_in_half_precision_and_exact_targets(tmp_path):
    data = image_data(augment=[Mixup(alpha=1.0, p=1.0)])
    module = fit(data, tmp_path, precision="bf16-true", limit_val_batches=0)
    assert {(seen.images.dtype, seen.targets.dtype) for _, _, seen in module.seen} == {
        (torch.bfloat16, torch.float32)
    }


@pytest.mark.data
def test_real_photos_become_batches(hymenoptera, own_cache):
    paths = [sorted((hymenoptera / "train" / name).glob("*.jpg"))[:12] for name in ("ants", "bees")]
    images = Files([*paths[0], *paths[1]], np.repeat([0, 1], 12))
    data = image_data(images, [CROP, Flip(p=0.5)], names=["ants", "bees"], batch_size=8, workers=2)
    seen = list(epochs(data, 1))
    assert [batch.images.shape for batch in seen] == [(8, 3, 224, 224)] * 2
    assert all(0.2 < mean < 0.8 for mean in data.preprocess.mean)
    assert seen[0].images.abs().mean() < 2
