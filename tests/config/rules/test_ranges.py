"""Numbers that cannot work are refused in a sentence each; null leaves a group unanswered."""

import copy
import inspect
import math
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import lightning
import pytest

from imagelab.config import menu, validate
from imagelab.config.compose import compose, for_hydra, plain
from imagelab.config.make import make
from imagelab.config.rules.combinations import FILLED_IN
from imagelab.config.rules.ranges import RANGES
from imagelab.problem import Problem

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
    "sweep",  # room: sweep
    "launcher",  # room: sweep
)
LISTS = ("augment", "trick")
SHARED = menu.root_keys("train")
COMPOSED = plain(compose("train", []).cfg)
NEGATIVE = {"trainer.devices", "trainer.num_sanity_val_steps"}  # -1: all


def numbers(node: dict[str, Any], before: str) -> Iterator[tuple[str, int]]:
    """The keys of a choice's numbers, and how many there are in each list; 0: a single number."""
    for key, value in node.items():
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(value, dict):
            yield from numbers(value, f"{before}.{key}")
        elif isinstance(first, int | float) and not isinstance(first, bool):
            yield f"{before}.{key}", len(value) if isinstance(value, list) else 0


def refused(group: str, choice: dict[str, Any], paths: dict[str, int], value: float) -> set[str]:
    """The keys that sentences are about if all of these numbers of a choice are set to a value."""
    node = copy.deepcopy(COMPOSED | {group: (SHARED.get(group) or {}) | choice})
    for path, length in paths.items():
        *folders, key = path.split(".")
        reduce(lambda found, name: found[name], folders, node)[key] = [value] * length or value
    return {sentence.partition(": ")[0] for sentence in validate.quick_problems(node)}


@pytest.mark.parametrize("group", GROUPS)
def test_no_number_of_any_choice_may_be_nan_or_senselessly_negative(group):
    facts = {"seed": 0, "folder": Path(), "in_channels": 3, "size": 8, "batch": 2, "classes": "ab"}
    for choice in menu.choices(group):
        fresh = menu.load(menu.folder() / group / f"{choice}.yaml")
        paths = dict(numbers(fresh, group))
        assert paths.keys() <= refused(group, fresh, paths, math.nan)
        for path in paths.keys() - refused(group, fresh, paths, -1) - NEGATIVE:  # what a class refuses itself
            changed = {path.rpartition(".")[2]: [-1] * paths[path] or -1}
            with pytest.raises(Problem, match=rf"{group}\..*{path.rpartition('.')[2]}"):
                make((fresh[choice] if group in LISTS else fresh) | changed, **facts)


def test_every_number_of_a_library_or_of_several_classes_has_a_range():
    shared = {path: menu.root_keys("train")[path] for path in ("data", "model", "optimizer", "trainer")}
    for group in ("optimizer", "loss"):
        for choice in menu.choices(group):
            node = menu.load(menu.folder() / group / f"{choice}.yaml")
            own = node["_target_"].startswith("imagelab.")  # a class that checks its own numbers
            shared[group] = shared.get(group, {}) | ({} if own else node)
    numbers = {
        f"{group}.{key}"
        for group, node in shared.items()
        for key, value in node.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    assert len(numbers) > 20
    assert numbers - RANGES.keys() == set()


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
