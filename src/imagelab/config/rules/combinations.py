"""Find combinations that cannot work: a rule is a function from the config to sentences."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from imagelab.config.facts import says
from imagelab.config.launched import launched
from imagelab.config.monitor import AUTO, TRAIN_LOSS, headline, known_metrics, lower_is_better_of
from imagelab.config.rules.classes import CLASS_RULES, stating, target
from imagelab.config.rules.finetune import FINETUNE_RULES
from imagelab.config.rules.generators import GENERATOR_RULES  # room: generators
from imagelab.config.rules.memory import MEMORY_RULES
from imagelab.config.rules.model import MODEL_RULES
from imagelab.config.rules.processes import launcher_of, sharding, started
from imagelab.config.rules.signals import SIGNAL_RULES
from imagelab.config.rules.tasks import TASK_RULES
from imagelab.config.rules.tricks import TRICK_RULES
from imagelab.config.rules.values import VALUE_RULES
from imagelab.config.schema import Node
from imagelab.metrics.names import RAW
from imagelab.problem import nearest

Rule = Callable[[Node], Iterator[str]]

FILLED_IN = {
    "callbacks": "set trick=[...]",
    "logger": "set logger=[...]",
    "default_root_dir": "set hydra.run.dir=DIR",
    "enable_progress_bar": "imagelab has its own",
    "use_distributed_sampler": "the loaders distribute the samples over the ranks",
    "enable_checkpointing": "every run keeps its best and last checkpoint",
    "plugins": "imagelab uses one to write checkpoints",
    "barebones": "a run needs metrics and checkpoints",
    "fast_dev_run": "set debug=quick",
    "overfit_batches": "set data.limit=N",
    "check_val_every_n_epoch": "every epoch is validated, to find the best one",
    "max_steps": "set trainer.max_epochs=N",
    "min_steps": "a run has as many epochs as trainer.max_epochs says",
    "min_epochs": "a run has as many epochs as trainer.max_epochs says",
    "max_time": "it would end within an epoch; Ctrl-C stops a run that can be resumed",
    "val_check_interval": "the best weights are those at the end of an epoch",
}


def problems(cfg: Node, *, sound: bool = True) -> list[str]:
    """List what cannot work together, one sentence each.

    Args:
        cfg: Composed config.
        sound: Whether it has passed the check of its signatures; if not, rules that raise are skipped.
    """
    found = []
    for rule in [
        *CLASS_RULES,
        *VALUE_RULES,
        *RULES,
        *MODEL_RULES,
        *MEMORY_RULES,
        *TRICK_RULES,
        *FINETUNE_RULES,
        *TASK_RULES,
        *SIGNAL_RULES,
        *GENERATOR_RULES,  # room: generators
    ]:
        with suppress(*[] if sound else [TypeError, KeyError, ValueError, AttributeError]):
            found += rule(cfg)
    return found


def device_problems(cfg: Node) -> list[str]:
    """List devices that this machine lacks; imports torch only if a device is requested by name."""
    elsewhere = launcher_of(cfg).get("cluster") == "slurm"
    return [*([] if elsewhere else _device_is_there(cfg)), *started(cfg, launched())]


def watchers(cfg: Node) -> dict[str, Node]:
    """The nodes that may have a `monitor`, by the prefix of their keys."""
    tricks = {f"trick.{name}.": node for name, node in cfg["trick"].items()}
    return {"": cfg, "schedule.": cfg["schedule"]} | tricks


def _metrics_exist(cfg: Node) -> Iterator[str]:
    for path, node in watchers(cfg).items():
        metric = node.get("monitor")
        known = _watchable(cfg) + (_averaged_metrics(cfg) if path else (AUTO,))
        if metric is not None and metric not in known:
            hint = nearest(metric, known) or f"; choose from {', '.join(known)}"
            yield f"{path}monitor: there is no metric {metric!r}{hint}"


def _averages_are_alone(cfg: Node) -> Iterator[str]:
    names = stating(cfg["trick"], "averages_weights")
    if len(names) > 1:
        yield f"trick: {' and '.join(names)} both average the weights; choose one of them"
    if names and cfg["monitor"] == "train/loss":
        yield (
            f"monitor: train/loss exists only for the raw weights, and {names[0]} averages them; "
            f"set monitor=val/loss or val/{headline(cfg)}, which are measured for both"
        )


def _mixing_needs_two(cfg: Node) -> Iterator[str]:
    mixing = stating(cfg["augment"], "mixes_labels")
    if mixing and cfg["data"]["batch_size"] == 1:
        names = f"{' and '.join(mixing)} blend{'s' * (len(mixing) == 1)}"
        yield (
            f"data.batch_size: {names} the images of a batch, got batches of 1; set data.batch_size=2 or more"
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


def _resume_is_for_the_command_line(cfg: Node) -> Iterator[str]:
    if cfg["resume"] is not None:
        yield f"resume: must be the only override: imagelab train resume={cfg['resume']}"


def _line_search_sees_one_function(cfg: Node) -> Iterator[str]:
    if not says(cfg["optimizer"]).line_search:
        return
    name = target(cfg["optimizer"])
    trainer = cfg["trainer"]
    batches = trainer.get("accumulate_grad_batches") or 1
    precision = str(trainer.get("precision"))
    if batches > 1:
        yield (
            f"trainer.accumulate_grad_batches: {name} evaluates the loss of one batch several times per "
            f"step, which does not work with accumulation; got {batches}, set data.batch_size=full instead"
        )
    if cfg["data"]["batch_size"] != "full":
        yield (
            f"data.batch_size: {name} compares losses and gradients across steps, so each step needs the "
            f"same images; got {cfg['data']['batch_size']}, set data.batch_size=full"
        )
    if precision.startswith("16"):
        yield (
            f"trainer.precision: {name} does not support loss scaling, got {precision}; "
            "set trainer.precision=32-true"
        )
    if trainer.get("gradient_clip_val") is not None:
        yield (
            f"trainer.gradient_clip_val: {name} estimates curvature from the gradients, so they must not be "
            "clipped; leave it out"
        )
    if cfg["model"].get("channels_last"):
        yield f"model.channels_last: {name} needs contiguous weights; set model.channels_last=false"
    if sharding(cfg):
        yield f"trainer.strategy: {name} needs all weights on each device; set trainer=ddp"


def _optimizers_that_average_or_measure(cfg: Node) -> Iterator[str]:
    said, name = says(cfg["optimizer"]), target(cfg["optimizer"])
    averaging = stating(cfg["trick"], "averages_weights")
    if said.has_modes and averaging:
        yield f"trick.{averaging[0]}: {name} averages the weights itself; leave it out"
    if said.one_rate and (strategy := sharding(cfg)):
        yield f"trainer.strategy: {name} measures whole weights, which {strategy} shards; set trainer=ddp"


def _adaptation_leaves_norms_and_biases_out(cfg: Node) -> Iterator[str]:
    if says(cfg["optimizer"]).adapts_to_norms and cfg["optimizer"].get("decay_norm_bias"):
        yield (
            f"optimizer.decay_norm_bias: {target(cfg['optimizer'])} scales the step of decayed weights by "
            "their norm, which slows norms and biases down; set optimizer.decay_norm_bias=false"
        )


def _trainer_is_filled_in(cfg: Node) -> Iterator[str]:
    for key, instead in FILLED_IN.items():
        if key in cfg["trainer"]:
            yield f"trainer.{key}: cannot be set in a config; {instead}"


def _device_is_there(cfg: Node) -> Iterator[str]:
    device = cfg["trainer"].get("accelerator")
    if device not in ("gpu", "cuda", "mps"):
        return
    import torch

    cuda = torch.cuda.is_available()
    mps = torch.backends.mps.is_available()
    if not {"gpu": cuda or mps, "cuda": cuda, "mps": mps}[device]:
        yield f"trainer.accelerator: torch finds no {device} here; set trainer=auto or trainer=cpu"


def _averaged_metrics(cfg: Node) -> tuple[str, ...]:
    """Metrics of weight averages that exist from the first epoch on (those of SWA start later)."""
    said = [says(cfg["trick"][name]) for name in stating(cfg["trick"], "averages_from_start")]
    return tuple(metric for one in said for metric in known_metrics(cfg, one.averages_weights))


def _watchable(cfg: Node) -> tuple[str, ...]:
    return (*known_metrics(cfg, RAW), TRAIN_LOSS)


RULES: list[Rule] = [
    _metrics_exist,
    _stopping_looks_the_right_way,
    _mixing_needs_two,
    _averages_are_alone,
    _line_search_sees_one_function,
    _optimizers_that_average_or_measure,
    _adaptation_leaves_norms_and_biases_out,
    _trainer_is_filled_in,
    _resume_is_for_the_command_line,
]
