# room: generators
"""Find choices that a generator and a discriminator cannot train with: a rule maps configs to sentences."""

from collections.abc import Callable, Iterator

from imagelab.config.facts import says
from imagelab.config.rules.classes import stating, target
from imagelab.config.rules.processes import sharding
from imagelab.config.rules.tasks import task_name
from imagelab.config.schema import Node
from imagelab.problem import Problem

BATCH_NORMS = ("default", "batch")
PLAIN = "passes images alone through the network, and those of {} take noise or classes, too"
NOT_FOR_PAIRS = {  # facts of tricks that follow one network and its one loss, and why a pair refuses them
    "needs_images": PLAIN,
    "needs_plain_pass": PLAIN,
    "needs_mean_loss": "computes the loss of a batch once more, and {} has two, which depend on each other",
    "moves_gradients": "takes the gradients of one loss at other weights, and {} has two losses",
    "rewires": "replaces weights where one network sees a batch, and {} has two that see it in turn",
    "clips_gradients": "clips before the step of the discriminator only, and {} steps the generator, too",
}
HARD = {"smooth_real": 0, "smooth_fake": 0}  # values that leave targets hard


def refuse_generators(cfg: Node, command: str) -> None:
    """Raise a Problem if a command that needs one loss is given a task with two networks.

    Args:
        cfg: Config of the command.
        command: Name of the command.
    """
    if says(cfg["task"]).generates:
        raise Problem(
            f"imagelab {command} follows one loss, and task={task_name(cfg)} has two; use train, whose "
            "report says how both networks fare"
        )


def _networks_fit_the_task(cfg: Node) -> Iterator[str]:
    task, model = says(cfg["task"]).generates, says(cfg["model"]).generates
    if task and not model:
        yield (
            f"model: task={task_name(cfg)} trains a generator and a discriminator, and "
            f"{target(cfg['model'])} is neither; set model=dcgan or began"
        )
    if model and not task:
        yield f"model: {target(cfg['model'])} is a generator and a discriminator; set task=gan"


def _optimisation_is_manual(cfg: Node) -> Iterator[str]:
    trainer = cfg["trainer"]
    name = f"task={task_name(cfg)}"
    if (trainer.get("accumulate_grad_batches") or 1) > 1:
        yield f"trainer.accumulate_grad_batches: {name} takes a step per batch; set data.batch_size instead"
    if trainer.get("gradient_clip_val") is not None:
        yield f"trainer.gradient_clip_val: {name} does not clip; use trick=[gradient_penalty] or loss=hinge"
    precision = str(trainer.get("precision"))
    if precision in ("16", "16-mixed"):
        yield f"trainer.precision: {name} does not scale losses, got {precision}; set bf16-mixed or 32-true"
    if strategy := sharding(cfg):
        yield f"trainer: {name} trains two networks in turn, which {strategy} cannot shard; set trainer=ddp"
    optimizer = target(cfg["optimizer"])
    if says(cfg["optimizer"]).has_modes:
        yield f"optimizer: {optimizer} evaluates other weights than {name} trains on; set optimizer=adam"
    if says(cfg["optimizer"]).line_search:
        yield f"optimizer: {optimizer} searches along one loss, and {name} has two; set optimizer=adam"


def _images_stay_whole(cfg: Node) -> Iterator[str]:
    for name in stating(cfg["augment"], "mixes_labels"):
        yield f"augment: {name} blends images, and the generator would learn to blend, too; leave it out"
    if cfg["finetune"] is not None:
        yield f"finetune: task={task_name(cfg)} trains both networks from the first step; leave it out"


def _one_loss_for_two_networks(cfg: Node) -> Iterator[str]:
    name = f"task={task_name(cfg)}"
    found = {trick: why for fact, why in NOT_FOR_PAIRS.items() for trick in stating(cfg["trick"], fact)}
    for trick, why in found.items():
        yield f"trick.{trick}: {why.format(name)}; leave it out"
    for trick in stating(cfg["trick"], "grows_batches"):
        yield f"trick.{trick}: {name} takes a step per batch, so batches cannot grow; set data.batch_size"
    if cfg["trainer"].get("on_oom") == "halve":
        yield (
            f"trainer.on_oom: halve computes one loss in parts, and {name} has two; set trainer.on_oom=stop, "
            "or a smaller data.batch_size"
        )


def _targets_can_be_soft(cfg: Node) -> Iterator[str]:
    task = cfg["task"]
    soft = [key for key, hard in HARD.items() if task.get(key, hard) != hard]
    if soft and not says(cfg["loss"]).soft_targets:
        yield (
            f"task.{soft[0]}: {target(cfg['loss'])} has no probabilities to smooth, got {task[soft[0]]}; "
            "set 0, or loss=non_saturating"
        )


def _scores_fit_the_loss(cfg: Node) -> Iterator[str]:
    loss, model = target(cfg["loss"]), target(cfg["model"])
    errors = says(cfg["model"]).scores_are_errors
    if says(cfg["loss"]).takes_errors and (cfg["task"].get("flip_labels") or cfg["task"].get("flip_share")):
        yield f"task: errors cannot change places, as {loss} needs; leave out flip_labels and flip_share"
    if errors and not says(cfg["loss"]).takes_errors:
        yield f"loss: {loss} needs scores of either sign, and those of {model} are errors; leave out loss"
    if says(cfg["loss"]).takes_errors and not errors:
        yield f"loss: {loss} balances the errors of an autoencoder, and {model} has none; set model=began"


def _critics_are_bounded(cfg: Node) -> Iterator[str]:
    bounded = stating(cfg["trick"], "bounds_critic") or cfg["model"]["norm"] == "spectral"
    if says(cfg["loss"]).needs_lipschitz and not bounded:
        yield (
            f"loss: {target(cfg['loss'])} needs a critic of bounded slope; set trick=[gradient_penalty] with "
            "model.norm=instance, trick=[weight_clip], or model.norm=spectral"
        )


def _penalties_see_single_images(cfg: Node) -> Iterator[str]:
    for name in stating(cfg["trick"], "needs_single_images"):
        if cfg["model"]["norm"] in BATCH_NORMS:
            yield (
                f"trick.{name}: bounds the gradient of each image, and BatchNorm ties the images of a batch "
                "together; set model.norm=instance, group or none"
            )


def _tricks_have_a_critic(cfg: Node) -> Iterator[str]:
    for name in stating(cfg["trick"], "needs_critic"):
        yield f"trick.{name}: needs a discriminator, and task={task_name(cfg)} has none; leave it out"


def _pairs_can_train(cfg: Node) -> Iterator[str]:
    generates = says(cfg["task"]).generates
    for rule in OF_PAIRS if generates else [_tricks_have_a_critic]:
        yield from rule(cfg)


OF_PAIRS: list[Callable[[Node], Iterator[str]]] = [
    _optimisation_is_manual,
    _images_stay_whole,
    _one_loss_for_two_networks,
    _targets_can_be_soft,
    _scores_fit_the_loss,
    _critics_are_bounded,
    _penalties_see_single_images,
]
GENERATOR_RULES: list[Callable[[Node], Iterator[str]]] = [_networks_fit_the_task, _pairs_can_train]
