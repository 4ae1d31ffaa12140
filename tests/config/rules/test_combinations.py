"""Combinations that cannot work are refused in one sentence; valid ones are accepted."""

import copy
import functools

import pytest

from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.config.rules import combinations

GOOD = {
    "seed": 0,
    "save_every": 60,
    "save_top": 1,
    "resume": None,
    "monitor": "auto",
    "task": {"_target_": "imagelab.task.classify.Classify"},
    "model": {
        "_target_": "imagelab.model.small_cnn.SmallCNN",
        "weights": None,
        "pretrained": False,
        "norm": "default",
        "init": "default",
        "slope": None,
        "pool_ratio": None,
    },
    "data": {
        "_target_": "imagelab.data.digits.Digits",
        "batch_size": 128,
        "workers": "auto",
        "size": None,
        "limit": None,
        "val_fraction": 0.1,
        "test_fraction": 0.2,
    },
    "augment": {},
    "finetune": None,
    "trick": {},
    "loss": {"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": 0.0},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.001},
    "schedule": {"_target_": "imagelab.schedule.Cosine", "warmup": 0.05},
    "trainer": {
        "_target_": "lightning.Trainer",
        "accumulate_grad_batches": 1,
        "precision": "32-true",
        "accelerator": "cpu",
        "on_oom": "stop",
    },
}
MIXUP = {"mixup": {"_target_": "imagelab.augment.mixup.Mixup", "alpha": 0.2}}
LARS = {"_target_": "timm.optim.Lars", "lr": 1, "decay_norm_bias": False}
LBFGS = {"_target_": "torch.optim.LBFGS", "lr": 1}


def with_(**changes):
    cfg = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *groups, last = path.split("__")
        node = cfg
        for group in groups:
            node = node[group]
        node[last] = value
    return cfg


def lbfgs(**changes):
    return with_(optimizer=LBFGS, **({"data__batch_size": "full"} | changes))


@pytest.mark.parametrize(
    "cfg",
    [
        GOOD,
        with_(data__batch_size="full"),
        with_(augment=MIXUP),
        with_(augment=MIXUP, data__batch_size=2),
        with_(data__batch_size=1),
        with_(data__workers=0),
        with_(schedule__warmup=0),
        with_(schedule__warmup=100),
        lbfgs(),
        lbfgs(trainer__precision="bf16-mixed", trainer__gradient_clip_val=None),
        with_(optimizer=LARS),
        with_(trainer__precision="bf16-mixed"),
        with_(trainer__precision=16),
        with_(trainer={"_target_": "lightning.Trainer"}),
        with_(loss__label_smoothing=None, schedule__warmup=None),
        with_(model__dropout=0.0, model__dropout2d=0.9, model__stochastic_depth=None),
        with_(loss={"_target_": "my.Loss"}),
        with_(trick={"stop": {"_target_": "a.Stop", "monitor": None}}),
        with_(trick={"stop": {"_target_": "a.Stop", "monitor": "val/loss", "mode": "min"}}),
        with_(trick={"stop": {"_target_": "a.Stop", "monitor": "val/f1_macro", "mode": "max"}}),
        with_(model__pretrained=True, model__norm="frozen"),
        with_(model__weights="logs/a", model__norm="group"),
        with_(model__init="small", model__norm="none"),
        with_(save_every=0, trainer__gradient_clip_val=None, trainer__limit_val_batches=0.5),
    ],
)
def test_valid_combinations_are_accepted(cfg):
    assert combinations.problems(cfg) == []


@pytest.mark.parametrize(
    ("cfg", "key"),
    [
        (with_(augment=MIXUP, data__batch_size=1), "data.batch_size"),
        (with_(data__batch_size=0), "data.batch_size"),
        (with_(data__workers=-1), "data.workers"),
        (with_(data__limit=0), "data.limit"),
        (with_(data__val_fraction=1), "data.val_fraction"),
        (with_(data__test_fraction=0), "data.test_fraction"),
        (with_(data__folds=1, data__fold=0), "data.folds"),
        (with_(data__folds=5), "data.fold"),
        (with_(data__fold=1), "data.fold"),
        (with_(data__folds=5, data__fold=5), "data.fold"),
        (with_(loss__label_smoothing=1), "loss.label_smoothing"),
        (with_(loss__label_smoothing=-0.1), "loss.label_smoothing"),
        (with_(model__dropout=1), "model.dropout"),
        (with_(model__dropout2d=-0.1), "model.dropout2d"),
        (with_(model__stochastic_depth=1.5), "model.stochastic_depth"),
        (with_(optimizer__lr=0), "optimizer.lr"),
        (with_(optimizer={"_target_": "torch.optim.AdamW"}), "optimizer.lr"),
        (with_(schedule__warmup=-1), "schedule.warmup"),
        (with_(schedule__warmup=1.5), "schedule.warmup"),
        (lbfgs(trainer__accumulate_grad_batches=2), "trainer.accumulate_grad_batches"),
        (lbfgs(data__batch_size=128), "data.batch_size"),
        (lbfgs(trainer__precision="16-mixed"), "trainer.precision"),
        (lbfgs(trainer__precision=16), "trainer.precision"),
        (lbfgs(trainer__gradient_clip_val=1.0), "trainer.gradient_clip_val"),
        (lbfgs(model__channels_last=True), "model.channels_last"),
        (lbfgs(trainer__strategy="fsdp"), "trainer.strategy"),
        (with_(optimizer=LARS | {"decay_norm_bias": True}), "optimizer.decay_norm_bias"),
        (with_(trainer__callbacks=[]), "trainer.callbacks"),
        (with_(trainer__precision="bf16-mixd"), "trainer.precision"),
        (with_(monitor="accuracy"), "monitor"),
        (with_(trick={"stop": {"_target_": "a.Stop", "monitor": "val/los"}}), "trick.stop.monitor"),
        (with_(trick={"s": {"_target_": "S", "monitor": "val/accuracy", "mode": "min"}}), "trick.s.mode"),
        (with_(trick={"s": {"_target_": "S", "monitor": "val/ece", "mode": "max"}}), "trick.s.mode"),
        (with_(seed=-1), "seed"),
        (with_(save_every=-1), "save_every"),
        (with_(trainer__max_epochs=0), "trainer.max_epochs"),
        (with_(trainer__max_epochs=-1), "trainer.max_epochs"),
        (with_(trainer__accumulate_grad_batches=0), "trainer.accumulate_grad_batches"),
        (with_(trainer__log_every_n_steps=0), "trainer.log_every_n_steps"),
        (with_(trainer__limit_val_batches=0), "trainer.limit_val_batches"),
        (with_(trainer__gradient_clip_val=-1.0), "trainer.gradient_clip_val"),
        (with_(trainer__gradient_clip_algorithm="nrm"), "trainer.gradient_clip_algorithm"),
        (with_(trainer__accelerator="gpuu"), "trainer.accelerator"),
        (with_(trainer__max_steps=5), "trainer.max_steps"),
        (with_(model__pretrained=True, model__init="small"), "model.init"),
        (with_(model__weights="logs/a", model__init="small"), "model.init"),
        (with_(model__weights="logs/a", model__pretrained=True), "model.weights"),
        (with_(model__pretrained=True, model__norm="group"), "model.norm"),
        (with_(model__pretrained=True, model__norm="none"), "model.norm"),
        (with_(model__pretrained=True, model__stem="small"), "model.stem"),
        (with_(resume="logs/a"), "resume"),
    ],
)
def test_what_cannot_work_is_one_sentence_starting_with_the_key(cfg, key):
    assert [sentence.split(": ")[0] for sentence in combinations.problems(cfg)] == [key]


def test_devices_are_only_checked_if_requested_by_name(monkeypatch):
    import torch

    for backend, there in {torch.cuda: False, torch.backends.mps: True}.items():
        answer = functools.wraps(backend.is_available)(lambda there=there: there)
        monkeypatch.setattr(backend, "is_available", answer)
    found = {
        device: len(combinations.device_problems(with_(trainer__accelerator=device)))
        for device in ("auto", "cpu", "gpu", "cuda", "mps")
    }
    assert found == {"auto": 0, "cpu": 0, "gpu": 0, "cuda": 1, "mps": 0}


def test_a_wrong_type_does_not_hide_an_invalid_value():
    cfg = plain(compose("train", ["seed=abc", "data.batch_size=0", "data.val_fraction=2"]).cfg)
    found = validate.problems(cfg or {})
    assert [sentence.partition(":")[0] for sentence in found] == [
        "seed",
        "data.batch_size",
        "data.val_fraction",
    ]


def test_the_length_of_a_run_is_required():
    cfg = plain(compose("train", ["trainer.max_epochs=null"]).cfg)
    (sentence,) = validate.problems(cfg)
    assert sentence.startswith("trainer.max_epochs: a schedule needs the length")
