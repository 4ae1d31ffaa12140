"""Every choice of every group trains a batch, or is refused in a sentence where something is missing."""

import random

import numpy as np
import pytest
import torch

from imagelab import config, menu
from imagelab.compose import compose
from imagelab.data.arrays import Arrays
from tests.fitting import built, fitted

GROUPS = ("data", "augment", "model", "loss", "optimizer", "schedule", "trick", "logger")
OPTIONS = [(group, choice) for group in GROUPS for choice in menu.choices(group)]
# Two small steps, whatever else a choice asks for.
BRIEF = [
    "trainer.max_epochs=1",
    "data.limit=24",
    "data.batch_size=8",
    "trainer.log_every_n_steps=1",
    "data.workers=0",
]
NEEDS = {
    "torchvision": ["model.name=resnet18", "data.size=32"],
    "timm": ["model.name=resnet10t", "data.size=32"],
    "wandb": ["logger.wandb.mode=offline"],
    "lbfgs": ["data.batch_size=full", "trainer.max_epochs=2", "optimizer.max_iter=3"],
    "resnet9": ["data.size=32", "model.width=8"],
}


class Downloaded:
    """Stands in for a set of torchvision's that a test cannot download: same classes, shapes, splits."""

    def __init__(self, *, name: str, **_: object) -> None:
        grey, count = "MNIST" in name, 100 if name == "CIFAR100" else 10
        rng = np.random.default_rng(0)
        shape = (1, 28, 28) if grey else (3, 32, 32)
        self.classes = [f"class {i}" for i in range(count)]
        self.splits = {
            split: Arrays(
                torch.from_numpy(rng.integers(0, 256, (6 * count, *shape), dtype=np.uint8)),
                np.arange(6 * count) % count,
            )
            for split in ("train", "test")
        }


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    monkeypatch.setattr("imagelab.data.torchvision_sets.TorchvisionSet", Downloaded)


def learnt(parts) -> None:
    """The run took steps, and every weight is still a number."""
    assert parts.trainer.global_step >= 2
    assert all(torch.isfinite(value).all() for value in parts.classifier.state_dict().values())
    assert torch.isfinite(parts.trainer.callback_metrics["val/loss"])


def words_for(group: str, choice: str, photos) -> list[str]:
    listed = group in ("augment", "trick", "logger")
    words = [f"{group}=[{choice}]" if listed else f"{group}={choice}", *NEEDS.get(choice, [])]
    words += [f"data.root={photos}", "data.size=32"] if choice == "folder" else []
    return words + (["data.limit=200", "data.val_fraction=0.5"] if choice == "cifar100" else [])


@pytest.mark.parametrize(("group", "choice"), OPTIONS, ids=["=".join(option) for option in OPTIONS])
def test_every_choice_trains(group, choice, tmp_path, photos):
    learnt(fitted(["trainer=cpu", *BRIEF, *words_for(group, choice, photos)], tmp_path))


@pytest.mark.parametrize("choice", [choice for choice in menu.choices("augment") if choice != "none"])
def test_every_augmentation_trains_on_files_too(choice, tmp_path, photos):
    words = [
        "data=folder",
        f"data.root={photos}",
        "data.size=16",
        "data.storage=files",
        f"augment=[{choice}]",
    ]
    learnt(fitted(["trainer=cpu", *BRIEF, *words], tmp_path))


@pytest.mark.parametrize("choice", menu.choices("trainer"))
def test_every_trainer_is_known_and_says_what_it_lacks(choice, tmp_path):
    composed = compose("train", [f"trainer={choice}", *BRIEF])
    found = composed.problems + config.problems(config.plain(composed.cfg))
    if choice in ("auto", "cpu"):
        learnt(fitted([f"trainer={choice}", *BRIEF], tmp_path))
    elif choice == "ddp_cpu":
        assert found == []  # trained for real in test_ddp.py
    elif found:
        assert len(found) == 1
        assert "trainer" in found[0]
    else:
        assert built([f"trainer={choice}", *BRIEF], tmp_path).trainer.strategy.root_device.type != "cpu"


@pytest.mark.parametrize("choice", menu.choices("experiment"))
def test_every_experiment_trains(choice, tmp_path, photos):
    more = [f"data.root={photos}"] if choice == "photos" else []
    learnt(fitted([f"experiment={choice}", "trainer=cpu", "data.size=32", *more, *BRIEF], tmp_path))


@pytest.mark.parametrize("draw", range(12))
def test_random_combinations_train_together(draw, tmp_path, photos):
    rng = random.Random(draw)
    augment = [one for one in menu.choices("augment") if one != "none"]
    words = [f"{group}={rng.choice(menu.choices(group))}" for group in ("loss", "optimizer", "schedule")]
    model, data = rng.choice(menu.choices("model")), rng.choice(menu.choices("data"))
    words += [
        f"augment=[{','.join(rng.sample(augment, rng.randint(0, 4)))}]",
        f"model={model}",
        f"data={data}",
    ]
    words += [
        f"model.norm={rng.choice(['default', 'group', 'batch', 'frozen'])}",
        f"model.activation={rng.choice(['default', 'gelu', 'silu'])}",
    ]
    words += [
        f"loss.label_smoothing={rng.choice([0, 0.1])}",
        f"trainer.accumulate_grad_batches={rng.choice([1, 2])}",
        f"seed={draw}",
    ]
    words += NEEDS.get(model, []) + words_for("data", data, photos)[1:]
    batches = [
        "trainer.max_epochs=1",
        "data.batch_size=4",
        "data.limit=24",
        "trainer.log_every_n_steps=1",
        "data.workers=0",
    ]
    limit = ["data.limit=200", "data.val_fraction=0.5"] if data == "cifar100" else []
    learnt(fitted(["trainer=cpu", *batches, *words, *limit], tmp_path))
