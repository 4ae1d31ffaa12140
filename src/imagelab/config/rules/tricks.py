"""Find tricks that conflict with other choices: a rule is a function from the config to sentences."""

from collections.abc import Callable, Iterator

from imagelab.config.facts import says, unclear
from imagelab.config.rules.classes import stating, target
from imagelab.config.rules.processes import sharding
from imagelab.config.schema import Node


def _one_thing_clips(cfg: Node) -> Iterator[str]:
    value = cfg["trainer"].get("gradient_clip_val")
    for name in stating(cfg["trick"], "clips_gradients") if value is not None else ():
        yield f"trick.{name}: trainer.gradient_clip_val={value} also clips; leave one of the two out"


def _clipping_sees_plain_gradients(cfg: Node) -> Iterator[str]:
    names = stating(cfg["trick"], "clips_gradients")
    if names and says(cfg["optimizer"]).line_search:
        optimizer = target(cfg["optimizer"])
        yield f"trick.{names[0]}: the line search of {optimizer} needs unclipped gradients; leave it out"
    clips = names or cfg["trainer"].get("gradient_clip_val") is not None
    half = str(cfg["trainer"].get("precision")) in ("16", "16-mixed")
    if clips and half and cfg["optimizer"].get("fused"):
        yield (
            "optimizer.fused: with trainer.precision=16-mixed the fused step itself unscales the gradients, "
            "so they cannot be clipped; set trainer.precision=bf16-mixed, or optimizer.fused=false"
        )


def _growing_batches_can_grow(cfg: Node) -> Iterator[str]:
    for name in stating(cfg["trick"], "grows_batches"):
        if says(cfg["optimizer"]).line_search:
            yield (
                f"trick.{name}: {target(cfg['optimizer'])} evaluates the loss of one batch several times per "
                "step, which does not work with accumulation; leave it out"
            )
        elif cfg["data"]["batch_size"] == "full":
            yield f"trick.{name}: data.batch_size=full already holds all images; set a number"


def _gradients_are_moved_once(cfg: Node) -> Iterator[str]:
    names = stating(cfg["trick"], "moves_gradients")
    if names and says(cfg["optimizer"]).line_search:
        optimizer = target(cfg["optimizer"])
        yield (
            f"trick.{names[0]}: the line search of {optimizer} needs the gradients of its loss; leave it out"
        )
    if len(names) > 1:
        yield f"trick: {' and '.join(names)} both move the gradients; choose one of them"
    measuring = stating(cfg["trick"], "measures_sharpness")
    if len(measuring) > 1:
        yield f"trick: {' and '.join(measuring)} both measure sharpness; leave {measuring[-1]} out"


def _groups_are_made_here(cfg: Node) -> Iterator[str]:
    if cfg["optimizer"].get("layer_decay") is not None:
        yield (
            "optimizer.layer_decay: has no effect, because the parameter groups and their rates are already "
            "set; leave it out"
        )


def _watchers_see_whole_layers(cfg: Node) -> Iterator[str]:
    if strategy := sharding(cfg):
        for name in stating(cfg["trick"], "watches_layers"):
            yield f"trick.{name}: reads whole layers, which {strategy} shards; set trainer=ddp"


def _a_loss_is_a_mean(cfg: Node) -> Iterator[str]:
    names = stating(cfg["trick"], "needs_mean_loss")
    for name in names if says(cfg["task"]).compares_batch else ():
        yield (
            f"trick.{name}: needs a loss that is a mean over images, and {target(cfg['task'])} compares each "
            "image with the rest of its batch; leave it out"
        )


def _batches_have_noise(cfg: Node) -> Iterator[str]:
    optimizer = cfg["optimizer"]
    for name in stating(cfg["trick"], "needs_noise"):
        if says(optimizer).line_search:
            why = "uses all images in each step, so there is no noise to measure"
            yield f"trick.{name}: {target(optimizer)} {why}; leave it out"
        if cfg["data"]["batch_size"] == 1:
            yield f"trick.{name}: compares halves of a batch, got batches of 1; set data.batch_size=2 or more"


def _schedule_has_cycles(cfg: Node) -> Iterator[str]:
    schedule = cfg["schedule"]
    if says(schedule).has_cycles or unclear(schedule):
        return
    for name in stating(cfg["trick"], "needs_cycles"):
        regular = "every" in cfg["trick"][name]
        if not regular or cfg["trick"][name]["every"] is None:
            yield (
                f"trick.{name}: needs a schedule with cycles, and {target(schedule)} has none; "
                f"set schedule=cosine_restarts{f', or trick.{name}.every=EPOCHS' * regular}"
            )


def _unlabelled_images_go_along(cfg: Node) -> Iterator[str]:
    for name in stating(cfg["trick"], "guides"):
        node = cfg["trick"][name]
        if "unlabelled" not in node:
            continue
        key = f"trick.{name}.unlabelled"
        if node["unlabelled"] is None:
            if node["per_batch"] is not None:
                yield f"trick.{name}.per_batch: got {node['per_batch']} without images; also set {key}=DIR"
        elif says(cfg["optimizer"]).line_search:
            yield (
                f"{key}: {target(cfg['optimizer'])} compares losses across steps, so each step needs the "
                "same images; leave it out, or set optimizer=adamw"
            )
        elif cfg["trainer"]["on_oom"] == "halve":
            yield f"{key}: trainer.on_oom=halve divides only the labelled images; set trainer.on_oom=stop"


TRICK_RULES: list[Callable[[Node], Iterator[str]]] = [
    _one_thing_clips,
    _clipping_sees_plain_gradients,
    _growing_batches_can_grow,
    _gradients_are_moved_once,
    _groups_are_made_here,
    _watchers_see_whole_layers,
    _a_loss_is_a_mean,
    _batches_have_noise,
    _schedule_has_cycles,
    _unlabelled_images_go_along,
]
