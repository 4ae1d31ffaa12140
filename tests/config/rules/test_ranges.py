"""Numbers that cannot work are refused in a sentence each; null leaves a group unanswered."""

import inspect
import math
from collections.abc import Iterator
from typing import Any, get_args

import lightning
import pytest

from imagelab.config import menu, validate
from imagelab.config.compose import compose, for_hydra, plain
from imagelab.config.rules.combinations import FILLED_IN
from imagelab.config.rules.ranges import RANGES
from imagelab.config.rules.values import number_problems
from imagelab.config.signatures import Signature, from_source

TAKEN = {
    *("accelerator", "strategy", "devices", "num_nodes", "precision", "max_epochs", "limit_train_batches"),
    *("limit_val_batches", "limit_test_batches", "limit_predict_batches", "num_sanity_val_steps"),
    *("log_every_n_steps", "enable_model_summary", "accumulate_grad_batches", "gradient_clip_val"),
    *(
        "gradient_clip_algorithm",
        "deterministic",
        "benchmark",
        "inference_mode",
        "profiler",
        "detect_anomaly",
    ),
    *("sync_batchnorm", "reload_dataloaders_every_n_epochs", "enable_autolog_hparams", "model_registry"),
}  # arguments of Lightning's trainer that a config may set


def found(*words: str) -> list[str]:
    return validate.problems(plain(compose("train", [*words]).cfg))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("schedule.warmup=inf", "schedule.warmup: wants a finite number, got inf"),
        ("save_every=nan", "save_every: wants a finite number, got nan"),
        ("trick=[l1] trick.l1.strength=nan", "trick.l1.strength: wants a finite number, got nan"),
        ("optimizer=adamw optimizer.betas=[0.9,nan]", "optimizer.betas: wants a finite number, got nan"),
        (
            "optimizer=adamw optimizer.betas=[0.9,1]",
            "optimizer.betas: wants a number in [0, 1) for each, got [0.9, 1]",
        ),
        (
            "optimizer=momentum optimizer.momentum=1.5",
            "optimizer.momentum: wants a number in [0, 1), got 1.5",
        ),
        ("optimizer.lr_base_batch=0", "optimizer.lr_base_batch: wants 1 or more, got 0"),
        ("optimizer.lr=0", "optimizer.lr: wants a number above 0, got 0"),
        ("trainer.devices=0", "trainer.devices: wants -1 for all devices, or 1 or more, got 0"),
        (
            "trainer.limit_val_batches=1.5",
            "trainer.limit_val_batches: wants a share above 0 and below 1, or a whole number of batches, "
            "got 1.5",
        ),
        (
            "augment=[mixup] augment.mixup.alpha=0",
            "augment.mixup.alpha: wants a number above 0; to turn it off, leave it out, got 0",
        ),
        (
            "augment=[noise] augment.noise.std=[10,5]",
            "augment.noise.std: wants two rising numbers in [0, 255], got [10, 5]",
        ),
        (
            "trick=[feature_maps] trick.feature_maps.images=[]",
            "trick.feature_maps.images: wants 1 or more, or a list of positions, got []",
        ),
        (
            "schedule=cyclic schedule.low=0.5 schedule.high=0.4",
            "schedule.low: wants at most schedule.high (0.4), got 0.5",
        ),
        (
            "finetune=auto model.weights=a.ckpt finetune.neighbours=1000",
            "finetune.neighbours: wants less than finetune.images (1000), got 1000",
        ),
        (
            "data=hymenoptera augment=[resnet] augment.resnet.longest=250",
            "augment.resnet.shortest: wants at most augment.resnet.longest (250), got 256",
        ),
        (
            "trainer.max_time=00:01:00:00",
            f"trainer.max_time: cannot be set in a config; {FILLED_IN['max_time']}",
        ),
    ],
)
def test_a_number_that_cannot_work_is_refused_in_one_sentence(words, sentence):
    assert found(*words.split()) == [sentence]


def test_an_infinite_time_between_checkpoints_is_allowed():
    assert found("save_every=inf") == []


GROUPS = (
    "augment",
    "trick",
    "loss",
    "schedule",
    "optimizer",
    "model",
    "task",
    "trainer",
    "finetune",
    "data",
    "sweep",  # room: sweep
    "launcher",  # room: sweep
)
LISTS = ("augment", "trick")
SHARED = menu.root_keys("train")
COMPOSED = plain(compose("train", []).cfg)


def a_number(hint: Any) -> bool:
    return hint in (int, float) or any(map(a_number, get_args(hint)))


def numbers(node: dict[str, Any], before: str) -> Iterator[str]:
    """The keys of a choice's numbers, and of those that may be null."""
    signature = from_source(node.get("_target_", "")) or Signature({}, open=True)
    for key, value in node.items():
        first = value[0] if isinstance(value, list) and value else value
        known = signature.arguments.get(key)
        if isinstance(value, dict):
            yield from numbers(value, f"{before}.{key}")
        elif (known and a_number(known.hint)) or (isinstance(first, int | float) and type(first) is not bool):
            yield f"{before}.{key}"


def paths(group: str) -> set[str]:
    """The keys of all numbers of a group."""
    files = [menu.load(menu.folder() / group / f"{choice}.yaml") for choice in menu.choices(group)]
    return {path for node in [*files, SHARED.get(group) or {}] for path in numbers(node, group)}


ALL = ("trainer.devices", "trainer.num_sanity_val_steps")  # -1 stands for all of them


@pytest.mark.parametrize("group", GROUPS)
def test_every_number_of_every_choice_has_a_range_which_is_not_left_unseen(group):
    known = paths(group)
    assert known <= RANGES.keys()
    for path in known:
        for wrong in (-2 if path in ALL else -1, math.nan):
            *folders, key = path.split(".")
            node: dict[str, Any] = {key: wrong}
            for folder in reversed(folders):
                node = {folder: node}
            assert path in [sentence.partition(": ")[0] for sentence in number_problems(node)]


def test_every_number_of_a_command_has_a_range():
    for root in menu.folder().glob("*.yaml"):
        own = {key for key, value in menu.load(root).items() if type(value) in (int, float)}
        assert own <= RANGES.keys(), root


def test_every_argument_of_the_trainer_is_taken_or_refused_with_a_reason():
    arguments = set(inspect.signature(lightning.Trainer.__init__).parameters) - {"self"}
    assert arguments == TAKEN | FILLED_IN.keys()
    assert not TAKEN & FILLED_IN.keys()


@pytest.mark.parametrize(
    "group",
    [
        "finetune",
        "sweep",  # room: sweep
        "experiment",
        "debug",
    ],
)
def test_null_leaves_a_group_unanswered(group):
    assert compose("train", [f"{group}=null"]).problems == []
    assert for_hydra([f"{group}=null"], set(), "train") == [f"~{group}"]


def test_null_undoes_the_answer_of_an_experiment_and_other_groups_need_one():
    assert compose("train", ["experiment=hymenoptera", "finetune=null"]).cfg["finetune"] is None
    assert compose("train", ["optimizer=null"]).problems[0].startswith("optimizer: there is no 'null'")
