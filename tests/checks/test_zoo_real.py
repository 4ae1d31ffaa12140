"""The same on real images: CIFAR-10 with all bugs, CIFAR-10 and photos with sound networks of all kinds."""

import pytest

from tests.zoo import KINDS, statuses, subject
from tests.zoo_bugs import BUGS, rate_times

pytestmark = [pytest.mark.slow, pytest.mark.data]
SMALL = ["data.size=32", "data.limit=2000", "data.batch_size=64", "model=small_cnn"]
PHOTOS = ["data.batch_size=16", "data.size=64"]
SIMPLE = {kind: [word for word in words if "limit" not in word] for kind, words in KINDS.items()}
TIMM = "model=timm"
ON_CIFAR = {
    "small, A": [*SMALL, *SIMPLE["A"]],
    "small, B": [*SMALL, *SIMPLE["B"]],
    "resnet9, mixed": [
        *SMALL,
        "model=resnet9",
        "model.width=16",
        "optimizer=nesterov",
        "augment=[flip,crop,cutmix]",
    ],
    "resnet18": [
        *SMALL,
        "model=torchvision",
        "model.stem=small",
        "optimizer=momentum",
        "augment=[flip,crop]",
    ],
    "vit": [*SMALL, TIMM, "model.name=vit_tiny_patch16_224", "data.size=64", "optimizer.lr=0.0003"],
    "convnext": [*SMALL, TIMM, "model.name=convnext_atto", "optimizer.lr=0.001"],
}
ON_PHOTOS = {
    "small": [*PHOTOS, "model=small_cnn"],
    "resnet18": [*PHOTOS, TIMM, "optimizer.lr=0.001"],
    "efficientnet": [
        *PHOTOS,
        TIMM,
        "model.name=efficientnet_b0",
        "optimizer.lr=0.001",
        "augment=[resnet,flip]",
    ],
    "convnext": [*PHOTOS, TIMM, "model.name=convnext_atto", "optimizer.lr=0.001", "augment=[color_jitter]"],
    "resnet50": ["data.batch_size=16", "data.size=224", "model=torchvision", "model.name=resnet50"],
}
ON_DIGITS = (
    "statistics of frozen layers move",  # of which there is a trained network
    "two classes of val change places",  # whose pixels alone tell the classes apart
)


def failed(words):
    return [name for name, status in statuses(subject(words), fast=False).items() if status == "FAIL"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in BUGS if name not in ON_DIGITS])
def test_a_planted_bug_is_found_on_cifar10(cifar10, kind, name):
    bug = BUGS[name]
    words = ["data=folder", f"data.root={cifar10}", *SMALL, *SIMPLE[kind], *bug.words]
    checked = subject(words)
    bug.plant(checked)
    assert statuses(checked, fast=not bug.trains, only=(bug.check,)) == {bug.check: "FAIL"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_times_the_rate_is_too_much_on_cifar10(cifar10, kind):
    checked = subject(["data=folder", f"data.root={cifar10}", *SMALL, *SIMPLE[kind]])
    rate_times(100.0)(checked)
    assert statuses(checked, fast=False, only=("learning rate",)) == {"learning rate": "FAIL"}


@pytest.mark.parametrize("name", ON_CIFAR)
def test_nothing_fails_on_sound_runs_on_cifar10(cifar10, name):
    assert failed(["data=folder", f"data.root={cifar10}", *ON_CIFAR[name]]) == []


@pytest.mark.parametrize("name", ON_PHOTOS)
def test_nothing_fails_on_sound_runs_on_photos(hymenoptera, name):
    assert failed(["data=folder", f"data.root={hymenoptera}", *ON_PHOTOS[name]]) == []
