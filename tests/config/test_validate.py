"""Signatures are read without imports, and the check finds the mistakes that need them."""

import copy
import inspect
from functools import cache

import pytest
import torch

from imagelab.config import compose as composing
from imagelab.config import menu, schema, validate
from imagelab.config.compose import compose, for_hydra, jobs
from imagelab.config.signatures import from_import, from_source
from imagelab.config.value_types import fits
from imagelab.problem import Problem


@cache
def default():
    composed = compose("train", [])
    assert composed.problems == []
    assert composed.cfg is not None
    return composed.cfg


def changed(**changes):
    cfg = copy.deepcopy(default())
    for path, value in changes.items():
        group, _, key = path.partition("__")
        if key:
            cfg[group][key] = value
        else:
            cfg[group] = value
    return cfg


def targets(node):
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from targets(value)


def test_signatures_from_source_equal_imported_ones():
    files = [file for file in menu.folder().rglob("*.yaml") if file.parent != menu.folder()]
    found = {target for file in files for target in targets(menu.load(file))}
    assert len(found) > 100
    for target in found:
        read, imported = from_source(target), from_import(target)
        assert read is not None, target
        assert read.open == imported.open, target
        assert {k: a.needed for k, a in read.arguments.items()} == {
            k: a.needed for k, a in imported.arguments.items()
        }, target


def library():
    """Classes of torch that a config could name."""
    for module in (torch.optim, torch.optim.lr_scheduler, torch.nn):
        for name, thing in vars(module).items():
            if (
                inspect.isclass(thing)
                and not name.startswith("_")
                and thing.__module__.startswith(("torch.nn.modules", "torch.optim"))
            ):
                yield thing


def test_defaults_of_library_classes_are_valid():
    alarms, judged = [], 0
    for thing in library():
        target = f"{thing.__module__}.{thing.__qualname__}"
        for lookup in (from_source, from_import):
            signature = lookup(target)
            for name, parameter in inspect.signature(thing).parameters.items():
                plain = isinstance(parameter.default, int | float | str | tuple)
                if plain and signature is not None and name in signature.arguments:
                    judged += 1
                    if not fits(parameter.default, signature.arguments[name].hint):
                        alarms.append((target, name, parameter.default))
    assert judged > 500
    assert alarms == []


def test_custom_types_are_found_by_importing_them():
    cfg = changed(trainer__accelerator=3)
    assert validate.quick_problems(cfg) == []
    (sentence,) = validate.thorough_problems(cfg)
    assert sentence.startswith("trainer.accelerator: wants text")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("torch.optim.AdmW", "torch.optim has no AdmW; did you mean 'AdamW'?"),
        ("nowhere.AdamW", "there is no nowhere.AdamW; write the full dotted path, such as torch.optim.AdamW"),
    ],
)
def test_a_target_that_does_not_exist_is_named(target, said):
    cfg = changed(optimizer__lr=0.1)
    cfg["optimizer"]["_target_"] = target
    assert validate.problems(cfg) == [f"optimizer._target_: {said}"]


def test_a_target_below_another_is_checked_too():
    strategy = {"_target_": "lightning.pytorch.strategies.SingleDeviceStrategy", "devise": "cpu"}
    said = "SingleDeviceStrategy has no such argument; did you mean 'device'?"
    for path, value in {"strategy": strategy, "plugins.0": [strategy]}.items():
        cfg = changed(**{f"trainer__{path.split('.')[0]}": value})
        assert validate.problems(cfg) == [f"trainer.{path}.devise: {said}"]


def test_a_missing_value_is_named():
    cfg = changed(data__limit="???")
    assert validate.problems(cfg) == ["data.limit: Digits needs it; set data.limit=LIMIT"]


def test_shared_keys_are_separated_from_a_choices_own_keys():
    own, shared = schema.split("optimizer", default()["optimizer"])
    assert set(shared) == {"decay_norm_bias", "lr_scaling", "lr_base_batch"}
    assert {"_target_", "lr", "weight_decay"} <= set(own)


def test_a_resumed_run_may_change_the_data_folder():
    cfg = compose("train", ["data=folder", "data.root=/a"]).cfg
    assert cfg is not None
    new = validate.changed(cfg, ["data.root=/b", "data.workers=2"])
    assert new == cfg | {"data": cfg["data"] | {"root": "/b", "workers": 2}}
    with pytest.raises(Problem, match=r"data\.workers: wants a whole number or 'auto', got 'many'"):
        validate.changed(cfg, ["data.workers=many"])


@pytest.mark.parametrize("words", [["optimizer.lr=1"], ["data.workers=2", "seed=3"], ["data.batch_size=16"]])
def test_a_resumed_run_refuses_other_changes(words):
    with pytest.raises(Problem, match=f"resume uses .* leave out {words[-1]} "):
        validate.changed(default(), words)


def test_a_new_key_needs_no_plus():
    words = ["+trainer.detect_anomaly=true", "optimizer.lr=0.1", "++seed=3", "trainer.benchmark=null"]
    composed = compose("train", words)
    assert composed.problems == []
    assert for_hydra(words, composed.new_keys, "train") == [
        "++trainer.detect_anomaly=true",
        "optimizer.lr=0.1",
        "seed=3",
        "++trainer.benchmark=null",
    ]


def test_every_value_of_a_sweep_is_checked():
    words = ["a=1,2", "b=range(0,3)", "c=[1,2]", "d=interval(0,1)"]
    found = jobs(words)
    assert len(found) == 1 + 1 + 2 + 1
    assert {job[0] for job in found} == {"a=1", "a=2"}
    assert {job[1] for job in found} == {"b=0", "b=1", "b=2"}
    assert {job[2] for job in found} == {"c=[1,2]"}


def test_jobs_with_the_same_choices_are_composed_once_and_share_no_value(monkeypatch):
    asked = []
    real = composing.hydra_compose
    monkeypatch.setattr(composing, "hydra_compose", lambda *a, **k: asked.append(k) or real(*a, **k))
    composing._choose.cache_clear()
    words = ["optimizer=sgd", "trick=[ema]"]
    configs = [compose("train", [*words, f"seed={seed}", f"optimizer.lr={seed}"]).cfg for seed in (7, 8)]
    assert [(cfg["seed"], cfg["optimizer"]["lr"]) for cfg in configs] == [(7, 7), (8, 8)]
    assert compose("train", words).cfg["seed"] == 0
    assert len(asked) == 1
