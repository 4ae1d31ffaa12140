"""Combinations that cannot work: a rule is a function from the config to sentences."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from imagelab.config.facts import says
from imagelab.config.monitor import AUTO, TRAIN_LOSS, headline, known_metrics, lower_is_better_of
from imagelab.config.rules.classes import CLASS_RULES, stating, target
from imagelab.config.rules.finetune import FINETUNE_RULES
from imagelab.config.rules.tasks import TASK_RULES
from imagelab.config.rules.tricks import TRICK_RULES
from imagelab.config.rules.values import RANGES
from imagelab.config.schema import Node
from imagelab.metrics.names import RAW
from imagelab.problem import nearest

Rule = Callable[[Node], Iterator[str]]

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


def problems(cfg: Node, *, sound: bool = True) -> list[str]:
    """What cannot work together, a sentence each.

    Args:
        cfg: The composed config.
        sound: Whether it has passed the check of its signatures; where not, a rule may stumble over it.
    """
    found = []
    for rule in [*CLASS_RULES, *RANGES, *RULES, *TRICK_RULES, *FINETUNE_RULES, *TASK_RULES]:
        with suppress(*[] if sound else [TypeError, KeyError, ValueError, AttributeError]):
            found += rule(cfg)
    return found


def device_problems(cfg: Node) -> list[str]:
    """What this machine has not got; imports torch only where a device is asked for by name."""
    return list(_device_is_there(cfg))


def watchers(cfg: Node) -> dict[str, Node]:
    """The nodes that may name a metric to watch, by what stands before their keys."""
    tricks = {f"trick.{name}.": node for name, node in cfg["trick"].items()}
    return {"": cfg, "schedule.": cfg["schedule"]} | tricks


def _metrics_exist(cfg: Node) -> Iterator[str]:
    for path, node in watchers(cfg).items():
        metric = node.get("monitor")
        known = _watchable(cfg) + (_averaged_metrics(cfg) if path else (AUTO,))
        if metric is not None and metric not in known:
            hint = nearest(metric, known) or f"; there are {', '.join(known)}"
            yield f"{path}monitor: there is no metric {metric!r}{hint}"


def _averages_are_alone(cfg: Node) -> Iterator[str]:
    names = stating(cfg["trick"], "averages_weights")
    if len(names) > 1:
        yield f"trick: {' and '.join(names)} both average the weights, and do not add up; say one of them"
    if names and cfg["monitor"] == "train/loss":
        yield (
            f"monitor: train/loss is known of the raw weights only, and {names[0]} averages them; "
            f"say monitor=val/loss or val/{headline(cfg)}, which is looked at for both"
        )


def _mixing_needs_two(cfg: Node) -> Iterator[str]:
    mixing = stating(cfg["augment"], "mixes_labels")
    if mixing and cfg["data"]["batch_size"] == 1:
        names = f"{' and '.join(mixing)} blend{'s' * (len(mixing) == 1)}"
        yield (
            f"data.batch_size: {names} the images of a batch, got batches of 1; say data.batch_size=2 or more"
        )


def _stopping_looks_the_right_way(cfg: Node) -> Iterator[str]:
    for path, node in watchers(cfg).items():
        metric = str(node.get("monitor"))
        mode = node.get("mode")
        if metric not in _watchable(cfg) + _averaged_metrics(cfg) or mode not in ("min", "max"):
            continue
        right = "min" if lower_is_better_of(cfg, metric) else "max"
        if mode != right:
            yield f"{path}mode: wants {right} for {metric}, got {mode}"


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


def _stem_is_trained(cfg: Node) -> Iterator[str]:
    model = cfg["model"]
    if model.get("stem") == "small" and model.get("pretrained"):
        yield (
            "model.stem: model.pretrained=true brings a first layer for photos that small would replace; "
            "leave one of the two out"
        )


def _there_is_a_norm_to_sync(cfg: Node) -> Iterator[str]:
    norm = cfg["model"]["norm"]
    if cfg["trainer"].get("sync_batchnorm") and norm in ("group", "frozen", "none"):
        yield (
            f"trainer.sync_batchnorm: with model.norm={norm} there are no batch statistics to share; "
            "leave one of the two out"
        )


def _resume_is_for_the_command_line(cfg: Node) -> Iterator[str]:
    if cfg["resume"] is not None:
        yield f"resume: only a word of the command line, alone: imagelab train resume={cfg['resume']}"


def _line_search_sees_one_function(cfg: Node) -> Iterator[str]:
    if not says(cfg["optimizer"]).line_search:
        return
    name = target(cfg["optimizer"])
    trainer = cfg["trainer"]
    batches = trainer.get("accumulate_grad_batches") or 1
    precision = str(trainer.get("precision"))
    if batches > 1:
        yield (
            f"trainer.accumulate_grad_batches: {name} asks for the loss of one batch several times a step, "
            f"which accumulation mixes up; got {batches}, say data.batch_size=full instead"
        )
    if cfg["data"]["batch_size"] != "full":
        yield (
            f"data.batch_size: {name} compares losses and gradients from step to step, which has to be those "
            f"of the same images; got {cfg['data']['batch_size']}, say data.batch_size=full"
        )
    if precision.startswith("16"):
        yield f"trainer.precision: {name} scales no loss, got {precision}: say trainer.precision=32-true"
    if trainer.get("gradient_clip_val") is not None:
        yield (
            f"trainer.gradient_clip_val: {name} takes curvature from the gradients, and clipped ones are not "
            "those of its loss; leave it out"
        )
    if cfg["model"].get("channels_last"):
        yield f"model.channels_last: {name} takes weights in rows only; say model.channels_last=false"
    if "fsdp" in str(trainer.get("strategy")):
        yield f"trainer.strategy: {name} wants all weights on each device; say trainer=ddp"


def _adaptation_leaves_norms_and_biases_out(cfg: Node) -> Iterator[str]:
    if says(cfg["optimizer"]).adapts_to_norms and cfg["optimizer"].get("decay_norm_bias"):
        yield (
            f"optimizer.decay_norm_bias: {target(cfg['optimizer'])} adapts what decays to the norm of its "
            "weights, which holds norms and biases back; say optimizer.decay_norm_bias=false"
        )


def _trainer_is_filled_in(cfg: Node) -> Iterator[str]:
    for key, instead in FILLED_IN.items():
        if key in cfg["trainer"]:
            yield f"trainer.{key}: not for a config to say; {instead}"


def _device_is_there(cfg: Node) -> Iterator[str]:
    device = cfg["trainer"].get("accelerator")
    if device not in ("gpu", "cuda", "mps"):
        return
    import torch

    cuda = torch.cuda.is_available()
    mps = torch.backends.mps.is_available()
    if not {"gpu": cuda or mps, "cuda": cuda, "mps": mps}[device]:
        yield f"trainer.accelerator: wants {device}, torch sees none here; say trainer=auto or trainer=cpu"


def _averaged_metrics(cfg: Node) -> tuple[str, ...]:
    """Metrics of averages that are there from the first epoch on; that of SWA, for example, begins late."""
    said = [says(cfg["trick"][name]) for name in stating(cfg["trick"], "averages_from_start")]
    return tuple(metric for one in said for metric in known_metrics(cfg, one.averages_weights))


def _watchable(cfg: Node) -> tuple[str, ...]:
    return (*known_metrics(cfg, RAW), TRAIN_LOSS)


RULES: list[Rule] = [
    _metrics_exist,
    _stopping_looks_the_right_way,
    _mixing_needs_two,
    _averages_are_alone,
    _weights_have_one_origin,
    _norm_keeps_what_was_learnt,
    _there_is_a_norm_to_sync,
    _stem_is_trained,
    _line_search_sees_one_function,
    _adaptation_leaves_norms_and_biases_out,
    _trainer_is_filled_in,
    _resume_is_for_the_command_line,
]
