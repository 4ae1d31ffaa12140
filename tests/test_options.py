"""Every choice of every group trains a batch, or is refused in a sentence where something is missing."""

import random
import re
import shutil
from dataclasses import fields
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from imagelab.build import Parts, build
from imagelab.config import menu, schema, validate
from imagelab.config.compose import compose, plain
from imagelab.data.arrays import Arrays
from imagelab.data.folder import Folder
from imagelab.pack import pack_split
from imagelab.problem import Problem
from imagelab.training.stop import StopRequest
from tests.fitting import FOLDER, built, fitted
from tests.partners import FITTING, GIVEN, facts, partners

GROUPS = ("data", "task", "augment", "model", "loss", "optimizer", "schedule", "finetune", "trick", "logger")
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
    "torchvision": ["model.name=shufflenet_v2_x0_5", "data.size=32"],
    "timm": ["model.name=resnet10t", "data.size=32"],
    "wandb": ["logger.wandb.mode=offline"],
    "lbfgs": ["trainer.max_epochs=2", "optimizer.max_iter=3"],
    "resnet9": ["data.size=32", "model.width=8"],
    "boxes": ["data.size=32"],
    "detnet": ["data.size=32", "model.width=8"],
    "scenes": ["data.count=60", "data.side=32", "data.most=4"],
    "faster_rcnn": ["model.width=16", "model.hidden=32"],
}


def experiment(choice: str) -> str:
    return (menu.folder() / "experiment" / f"{choice}.yaml").read_text(encoding="utf-8")


def config_words(key: str) -> list[str]:
    """The values that a key of every network takes, as its type names them."""
    hints = {field.name: field.type for field in fields(schema.ModelKnobs)}
    return list(get_args(hints[key]))


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
    words += [f"data.root={packed(photos)}", "data.size=32"] if choice == "arrow" else []
    words += [f"data.root={with_facts(photos)}", "data.size=32"] if choice == "celeba" else []
    words += [f"data.root={with_boxes(photos)}"] if choice == "boxes" else []
    return words + (["data.limit=200", "data.val_fraction=0.5"] if choice == "cifar100" else [])


def packed(photos: Path) -> Path:
    """The same photos in shards."""
    target = photos.with_name("packed")
    if not target.exists():
        source = Folder(root=str(photos), **FOLDER)
        for split, images in source.splits.items():
            pack_split(target, split, images, source.classes, 10_000)
    return target


def with_boxes(photos: Path) -> Path:
    """The same photos with a box in each."""
    root = photos.with_name("with_boxes")
    if not root.exists():
        shutil.copytree(photos, root)
        names = [path.relative_to(photos) for path in sorted(photos.rglob("*.jpg"))]
        lines = [f"{name},{'light' if 'light' in name.parts else 'dark'},2,2,12,12" for name in names]
        (root / "boxes.csv").write_text("\n".join(["file,label,left,top,right,bottom", *lines]))
    return root


def with_facts(photos: Path) -> Path:
    """The same photos in the layout of CelebA."""
    root = photos.with_name("with_facts")
    folder = root / "celeba"
    if not folder.exists():
        shutil.copytree(photos, folder / "img_align_celeba")
        names = [path.relative_to(photos) for path in sorted(photos.rglob("*.jpg"))]
        facts = [f"{name} {1 if 'light' in name.parts else -1} {(-1) ** i}" for i, name in enumerate(names)]
        parts = [f"{name} {max(0, i % 5 - 2)}" for i, name in enumerate(names)]
        (folder / "list_attr_celeba.txt").write_text("\n".join([str(len(names)), "Light Even", *facts]))
        (folder / "list_eval_partition.txt").write_text("\n".join(parts))
    return root


@pytest.mark.parametrize(("group", "choice"), OPTIONS, ids=["=".join(option) for option in OPTIONS])
def test_every_choice_trains(group, choice, tmp_path, photos):
    words = [*words_for(group, choice, photos), *partners(group, choice)]
    words += NEEDS["scenes"] if "task=detect" in [f"{group}={choice}", *words] and group != "data" else []
    words += [f"model.weights={weights_of(words, tmp_path)}"] if group == "finetune" else []
    words += taught(words, tmp_path)
    learnt(fitted(["trainer=cpu", *BRIEF, *words], tmp_path))


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
    found = composed.problems + validate.problems(plain(composed.cfg))
    if choice in ("auto", "cpu"):
        learnt(fitted([f"trainer={choice}", *BRIEF], tmp_path))
    elif choice in ("ddp_cpu", "fsdp"):
        assert found == []  # trained for real in test_ddp.py and test_torchrun.py
    elif found:
        assert len(found) == 1
        assert "trainer" in found[0]
    else:
        assert built([f"trainer={choice}", *BRIEF], tmp_path).trainer.strategy.root_device.type != "cpu"


SMALLER = {"resnet50d": "resnet18d", "resnet50": "resnet18"}


@pytest.mark.parametrize("choice", menu.choices("experiment"))
def test_every_experiment_trains(choice, tmp_path, photos):
    name = re.search(r"^  name: (resnet50d?)$", experiment(choice), re.MULTILINE)
    smaller = [f"model.name={SMALLER[name[1]]}"] if name else []
    learnt(fitted([*experiment_words(choice, photos), *smaller], tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "choice", [c for c in menu.choices("experiment") if "name: resnet50" in experiment(c)]
)
def test_every_experiment_with_a_large_network_trains_as_it_is(choice, tmp_path, photos):
    learnt(fitted(experiment_words(choice, photos), tmp_path))


def experiment_words(choice: str, photos) -> list[str]:
    """A brief run of an experiment, on the CPU, without a download."""
    words = [f"experiment={choice}", "trainer=cpu", *BRIEF, "data.size=32"]
    words += [f"data.root={photos}"] if "data: folder" in experiment(choice) else []
    # room: detection
    on_scenes = ["data=scenes", "data.count=16", "model.backbone=small"]
    words += on_scenes if "data: boxes" in experiment(choice) else []
    # end
    words += ["model.pretrained=false"] if "pretrained: true" in experiment(choice) else []
    words += ["~finetune"] if "override /finetune" in experiment(choice) else []
    return words + (
        ["trainer.accumulate_grad_batches=1"] if "accumulate_grad_batches" in experiment(choice) else []
    )


@pytest.mark.parametrize("choice", menu.choices("experiment"))
def test_every_experiment_says_how_to_start_it_and_where_its_values_come_from(choice):
    head = experiment(choice).partition("defaults:")[0]
    assert f"imagelab train experiment={choice}" in head
    assert re.search(r"^# Values: .*\d{4}", head, re.MULTILINE)


TINY = {
    "torchvision": ["mobilenet_v3_small", "shufflenet_v2_x0_5"],
    "timm": ["test_resnet", "test_convnext", "test_vit", "test_efficientnet"],
}
KEYS = {
    "model.norm": config_words("norm")[1:],
    "model.activation": config_words("activation"),
    "model.init": [
        word for word in config_words("init") if word != "large"
    ],  # which overflows, as it is meant to
    "model.pool": config_words("pool"),
    "model.stem": config_words("stem"),
    "model.dropout": ["0.3"],
    "model.dropout2d": ["0.1"],
    "model.stochastic_depth": ["0.2"],
    "model.channels_last": ["true"],
    "loss.label_smoothing": ["0.1"],
    "optimizer.decay_norm_bias": ["true"],
    "optimizer.lr_scaling": ["linear", "sqrt"],
    "data.balance": ["true"],
    "data.batch_size": ["4", "full"],
    "data.storage": ["auto", "memory", "files"],
    "trainer.accumulate_grad_batches": ["2"],
    "trainer.gradient_clip_val": ["1"],
    "trainer.precision": ["bf16-mixed"],
    "trainer.sync_batchnorm": ["true"],
}


@pytest.mark.parametrize(
    "batch", [*range(4), *(pytest.param(batch, marks=pytest.mark.slow) for batch in range(4, 14))]
)
def test_random_combinations_train_together_or_are_refused_with_a_reason(batch, tmp_path, photos):
    outcomes = []
    for draw in range(15 * batch, 15 * batch + 15):
        words = combination(random.Random(draw), photos)
        refusal = refused(words, tmp_path / str(draw))
        outcomes.append(refusal is None)
        if refusal is not None:
            key = re.match(r"([a-z_]+)[.=\w]*", refusal)
            assert key, f"{' '.join(words)}: {refusal}"
            assert any(word.startswith(key.group(1)) for word in words), f"{' '.join(words)}: {refusal}"
    assert sum(outcomes) >= 4  # refusing is no way out


def kind_of(model: str) -> tuple[bool, bool]:
    """Whether a network detects, and whether it is a pair that generates."""
    said = facts("model", model)
    return getattr(said, "detects", False), getattr(said, "generates", False)  # of rooms that can come out


def combination(rng: random.Random, photos) -> list[str]:
    """Words that answer every question at random."""
    task = rng.choice(menu.choices("task")) if rng.random() < 0.2 else "classify"
    said = facts("task", task)
    ends = said.takes == "boxes", getattr(said, "generates", False)
    model = rng.choice([one for one in menu.choices("model") if kind_of(one) == ends])
    fitting = [one for one in FITTING if one[0] == task and one[2] != "cifar100"]  # which takes many steps
    _, loss, data = rng.choice(fitting)
    loss = rng.choice(menu.choices("loss")) if rng.random() < 0.1 else loss
    words = [f"{group}={rng.choice(menu.choices(group))}" for group in ("optimizer", "schedule")]
    words += [f"task={task}", f"loss={loss}"]
    words += [*words_for("model", model, photos), *words_for("data", data, photos)]
    words += ["optimizer.max_iter=3"] if "optimizer=lbfgs" in words else []
    words += [f"model.name={rng.choice(TINY[model])}"] if model in TINY else []
    for group, most in (("augment", 4), ("trick", 2)):
        alone = [name for name in menu.choices(group) if not GIVEN.get(f"{group}={name}")]  # needs no partner
        names = [name for name in alone if name != "none" and not facts(group, name).needs_critic]
        words.append(f"{group}=[{','.join(rng.sample(names, rng.randint(0, most)))}]")
    smoothed = "label_smoothing" in menu.keys("loss", loss)
    for key, values in KEYS.items():
        if rng.random() < 0.2 and (smoothed or key != "loss.label_smoothing"):
            words.append(f"{key}={rng.choice(values)}")
    words += [f"finetune={rng.choice(menu.choices('finetune'))}"] if rng.random() < 0.2 else []
    one_step = {"data.batch_size=full", "trainer.accumulate_grad_batches=2", "optimizer=lbfgs"} & set(words)
    return [*words, "trainer.max_epochs=2"] if one_step else words


def refused(words: list[str], folder) -> str | None:
    """Why the run that these words ask for cannot be; None where it trained, with finite losses."""
    try:
        if any(word.startswith("finetune=") for word in words):
            words = [word for word in words if not word.startswith("model.init=")]
            words.append(f"model.weights={weights_of(words, folder)}")
        parts = attempted([*words, *taught(words, folder)], folder)
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
    except Problem as problem:
        return str(problem)
    learnt(parts)
    return None


def weights_of(words: list[str], folder) -> Path:
    """A file with weights for the network of these words, such as a run leaves."""
    parts = attempted([word for word in words if not word.startswith(("finetune=", "trick="))], folder)
    state = {f"net.{name}": value for name, value in parts.classifier.net.state_dict().items()}
    file = folder / "start.ckpt"
    folder.mkdir(exist_ok=True)
    torch.save({"state_dict": state, "imagelab": parts.classifier.card}, file)
    return file


def test_choices_of_other_tasks_are_tried_with_these() -> None:
    assert partners("loss", "l1") == ["task=regress", "data=digits_facts"]
    assert partners("data", "celeba") == ["task=multilabel", "loss=bce"]
    assert partners("loss", "focal") == []


def taught(words: list[str], folder) -> list[str]:
    """A teacher, where distillation needs one: the same network, untrained."""
    wanted = any("distill" in word for word in words if word.startswith("trick="))
    alone = [word for word in words if not word.startswith("model.weights=")]
    return [f"trick.distill.teacher={weights_of(alone, folder)}"] if wanted else []


def attempted(words: list[str], folder) -> Parts:
    """The parts of a run; a Problem where the words cannot be."""
    composed = compose("train", ["trainer=cpu", *BRIEF, *words])
    assert composed.cfg is not None, composed.problems
    cfg = plain(composed.cfg)
    if found := composed.problems + validate.problems(cfg):
        raise Problem(found[0])
    return build(cfg, folder, StopRequest())
