"""Numbers that cannot work are refused in a sentence each; null leaves a group unanswered."""

import inspect

import lightning
import pytest

from imagelab.config import menu, validate
from imagelab.config.compose import compose, for_hydra, plain
from imagelab.config.rules.combinations import FILLED_IN
from imagelab.config.rules.ranges import RANGES

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


def test_every_number_of_a_library_or_of_several_classes_has_a_range():
    shared = {path: menu.root_keys("train")[path] for path in ("data", "model", "optimizer", "trainer")}
    for group in ("optimizer", "loss"):
        for choice in menu.choices(group):
            shared[group] = shared.get(group, {}) | menu.load(menu.folder() / group / f"{choice}.yaml")
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


@pytest.mark.parametrize("group", ["finetune", "sweep", "experiment", "debug"])
def test_null_leaves_a_group_unanswered(group):
    assert compose("train", [f"{group}=null"]).problems == []
    assert for_hydra([f"{group}=null"], set(), "train") == [f"~{group}"]


def test_null_undoes_the_answer_of_an_experiment_and_other_groups_need_one():
    assert compose("train", ["experiment=hymenoptera", "finetune=null"]).cfg["finetune"] is None
    assert compose("train", ["optimizer=null"]).problems[0].startswith("optimizer: there is no 'null'")
