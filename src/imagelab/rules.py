"""Combinations that cannot work: a rule is a function from the config to sentences."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from imagelab.problem import nearest

Node = dict[str, Any]
Rule = Callable[[Node], Iterator[str]]

METRICS = (
    "val/loss",
    "val/accuracy",
    "val/accuracy_macro",
    "val/f1_macro",
    "val/ece",
    "val/accuracy_top5",
    "train/loss",
)
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true")
SHORT_PRECISIONS = ("16", "bf16", "32", "64", "transformer-engine", "transformer-engine-float16")
WORDS = {  # of Lightning, which takes any: those to name, those to let pass
    "precision": (PRECISIONS, SHORT_PRECISIONS),
    "accelerator": (("auto", "cpu", "gpu", "cuda", "mps"), ("tpu",)),
    "gradient_clip_algorithm": (("norm", "value"), ()),
}
MIXES = ("Mixup", "CutMix")
FILLED_IN = {
    "callbacks": "say trick=[...]",
    "logger": "say logger=[...]",
    "default_root_dir": "say hydra.run.dir=DIR",
    "enable_progress_bar": "imagelab has its own",
    "use_distributed_sampler": "the loaders deal the samples to the ranks themselves",
    "enable_checkpointing": "every run keeps its best and last checkpoint",
    "plugins": "the checkpoints are written by one",
    "barebones": "a run without metrics and checkpoints has nothing to show",
    "fast_dev_run": "say debug=quick",
    "overfit_batches": "say data.limit=N",
    "check_val_every_n_epoch": "each epoch is validated, to know the best one",
    "max_steps": "say trainer.max_epochs=N",
}
LEAST = {
    "seed": 0,
    "save_every": 0,
    "data.batch_size": 1,
    "data.workers": 0,
    "data.size": 1,
    "data.limit": 1,
    "optimizer.weight_decay": 0,
    "trainer.max_epochs": 1,
    "trainer.accumulate_grad_batches": 1,
    "trainer.log_every_n_steps": 1,
    "trainer.limit_train_batches": 1e-9,
    "trainer.limit_val_batches": 1e-9,
    "trainer.gradient_clip_val": 1e-9,
}


def problems(cfg: Node, *, sound: bool = True) -> list[str]:
    """What cannot work together, a sentence each.

    Args:
        cfg: The composed config.
        sound: Whether it has passed the check of its signatures; where not, a rule may stumble over it.
    """
    found = []
    for rule in RULES:
        with suppress(*[] if sound else [TypeError, KeyError, ValueError, AttributeError]):
            found += rule(cfg)
    return found


def device_problems(cfg: Node) -> list[str]:
    """What this machine has not got; imports torch only where a device is asked for by name."""
    return list(_device_is_there(cfg))


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of a metric is the better one.

    >>> lower_is_better("val/loss"), lower_is_better("val/accuracy")
    (True, False)
    """
    return metric.rpartition("/")[2] in ("loss", "ece")


def _metrics_exist(cfg: Node) -> Iterator[str]:
    nodes = {"": cfg} | {f"trick.{name}.": node for name, node in cfg["trick"].items()}
    for path, node in nodes.items():
        metric = node.get("monitor")
        if metric is not None and metric not in METRICS:
            hint = nearest(metric, METRICS) or f"; there are {', '.join(METRICS)}"
            yield f"{path}monitor: there is no metric {metric!r}{hint}"


def _mixing_needs_two(cfg: Node) -> Iterator[str]:
    mixing = [name for name, node in cfg["augment"].items() if _target(node) in MIXES]
    if mixing and cfg["data"]["batch_size"] == 1:
        names = f"{' and '.join(mixing)} blend{'s' * (len(mixing) == 1)}"
        yield (
            f"data.batch_size: {names} the images of a batch, got batches of 1; say data.batch_size=2 or more"
        )


def _stopping_looks_the_right_way(cfg: Node) -> Iterator[str]:
    for name, node in cfg["trick"].items():
        metric, mode = str(node.get("monitor")), node.get("mode")
        right = "min" if lower_is_better(metric) else "max"
        if metric in METRICS and mode in ("min", "max") and mode != right:
            yield f"trick.{name}.mode: wants {right} for {metric}, got {mode}"


def _numbers_are_large_enough(cfg: Node) -> Iterator[str]:
    for path, least in LEAST.items():
        group, _, key = path.rpartition(".")
        value = (cfg[group] if group else cfg).get(key)
        if isinstance(value, int | float) and value < least:
            yield f"{path}: wants {'more than 0' if 0 < least < 1 else f'{least} or more'}, got {value}"


def _weights_have_one_origin(cfg: Node) -> Iterator[str]:
    model = cfg["model"]
    if model["weights"] is not None and model.get("pretrained"):
        yield "model.weights: they would replace those of model.pretrained=true; leave one of the two out"
    origin = "model.weights" if model["weights"] is not None else "model.pretrained=true"
    if model["init"] != "default" and (model["weights"] is not None or model.get("pretrained")):
        yield (
            f"model.init: {origin} brings trained weights and {model['init']} draws new ones; "
            "leave one of the two out"
        )


def _norm_keeps_what_was_learnt(cfg: Node) -> Iterator[str]:
    model = cfg["model"]
    if model.get("pretrained") and model["norm"] in ("group", "none"):
        yield (
            f"model.norm: model.pretrained=true was trained with other norms and would be lost with "
            f"{model['norm']}; say model.norm=frozen, or model.pretrained=false"
        )


def _resume_is_for_the_command_line(cfg: Node) -> Iterator[str]:
    if cfg["resume"] is not None:
        yield f"resume: only a word of the command line, alone: imagelab train resume={cfg['resume']}"


def _fractions_are_shares(cfg: Node) -> Iterator[str]:
    for key in ("val_fraction", "test_fraction"):
        if not 0 < cfg["data"][key] < 1:
            yield f"data.{key}: wants a share between 0 and 1, got {cfg['data'][key]}"


def _smoothing_is_a_share(cfg: Node) -> Iterator[str]:
    value = cfg["loss"].get("label_smoothing") or 0
    if not 0 <= value < 1:
        yield f"loss.label_smoothing: wants a share from 0 to below 1, got {value}"


def _rate_is_positive(cfg: Node) -> Iterator[str]:
    value = cfg["optimizer"].get("lr")
    if value is None or value <= 0:
        yield f"optimizer.lr: wants a number above 0, got {'nothing' if value is None else value}"


def _warmup_fits(cfg: Node) -> Iterator[str]:
    value = cfg["schedule"].get("warmup") or 0
    if value < 0 or (value >= 1 and value != int(value)):
        yield f"schedule.warmup: wants a share of the run below 1 or a whole number of steps, got {value}"


def _lbfgs_sees_one_batch(cfg: Node) -> Iterator[str]:
    batches = cfg["trainer"].get("accumulate_grad_batches") or 1
    if _target(cfg["optimizer"]) == "LBFGS" and batches > 1:
        yield (
            "trainer.accumulate_grad_batches: LBFGS asks for the loss of one batch several times "
            f"a step, which accumulation mixes up; got {batches}, say data.batch_size=full instead"
        )


def _trainer_is_filled_in(cfg: Node) -> Iterator[str]:
    for key, instead in FILLED_IN.items():
        if key in cfg["trainer"]:
            yield f"trainer.{key}: not for a config to say; {instead}"


def _length_is_known(cfg: Node) -> Iterator[str]:
    if cfg["trainer"].get("max_epochs", 1) is None:
        yield "trainer.max_epochs: a schedule needs the length of the run; say trainer.max_epochs=N"


def _words_are_known(cfg: Node) -> Iterator[str]:
    for key, (words, others) in WORDS.items():
        word = cfg["trainer"].get(key)
        if isinstance(word, str) and word not in (*words, *others):
            hint = nearest(word, words) or f"; there are {', '.join(words)}"
            yield f"trainer.{key}: there is no {word!r}{hint}"


def _device_is_there(cfg: Node) -> Iterator[str]:
    device = cfg["trainer"].get("accelerator")
    if device not in ("gpu", "cuda", "mps"):
        return
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if not {"gpu": cuda or mps, "cuda": cuda, "mps": mps}[device]:
        yield f"trainer.accelerator: wants {device}, torch sees none here; say trainer=auto or trainer=cpu"


def _target(node: Node) -> str:
    return str(node["_target_"]).rpartition(".")[2]


RULES: list[Rule] = [
    _length_is_known,
    _metrics_exist,
    _stopping_looks_the_right_way,
    _mixing_needs_two,
    _numbers_are_large_enough,
    _fractions_are_shares,
    _smoothing_is_a_share,
    _rate_is_positive,
    _warmup_fits,
    _weights_have_one_origin,
    _norm_keeps_what_was_learnt,
    _lbfgs_sees_one_batch,
    _trainer_is_filled_in,
    _words_are_known,
    _resume_is_for_the_command_line,
]
