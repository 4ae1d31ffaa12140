"""Build the parts of a run from its config."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
from hydra.utils import get_object
from lightning.pytorch.strategies import DDPStrategy

from imagelab.classifier import Classifier
from imagelab.config import schema
from imagelab.config.facts import said_by, says
from imagelab.config.make import make
from imagelab.config.monitor import headline, lower_is_better_of, monitored
from imagelab.config.rules.finetune import tuning
from imagelab.config.rules.tasks import task_name
from imagelab.config.schema import Node
from imagelab.contracts import TRICKS, GrowsBatches, Penalty, Rewire
from imagelab.data.decisions import summarise
from imagelab.data.extra import extra_of
from imagelab.data.image_data import ImageData
from imagelab.data.labels import refuse_all_but_classes, refuse_non_finite, refuse_other_labels
from imagelab.data.preprocess import Preprocess
from imagelab.data.visible import visible_of
from imagelab.finetune.choose import resolve_finetune
from imagelab.finetune.feature_plan import cache_features
from imagelab.finetune.linear_probe import LinearProbe
from imagelab.gan import Adversarial, critic_penalties  # room: generators
from imagelab.loading import load_named
from imagelab.logger.samples import pictures_of
from imagelab.low_rank import LowRankClassifier  # room: finetune/lora
from imagelab.model.head import set_head
from imagelab.model.network import build_net, model_to_start
from imagelab.model.pretrained import pretrained_preprocess
from imagelab.optimizer.build import build_optimizer, grouping
from imagelab.problem import Problem
from imagelab.task.contract import Task
from imagelab.terminal import screen
from imagelab.terminal.progress import ProgressBar
from imagelab.training.altering import clipping_last
from imagelab.training.devices import devices, plugins, profiler
from imagelab.training.feasibility import refuse_impossible
from imagelab.training.fsdp import shard_when_started
from imagelab.training.guidance import guide
from imagelab.training.optimizer_modes import OptimizerModes
from imagelab.training.phase_timer import TimeSpent
from imagelab.training.recipe import keep_batch, recipe
from imagelab.training.run_card import card_of_run
from imagelab.training.saver import Saver
from imagelab.training.split_batch import batch_loss
from imagelab.training.step_log import StepLog, log_interval
from imagelab.training.step_plan import StepPlan
from imagelab.training.stop import StopRequest
from imagelab.transfer import TransferClassifier


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a training run."""

    data: ImageData
    classifier: Classifier
    saver: Saver
    trainer: lightning.Trainer


def build(
    cfg: Node,
    folder: Path,
    stop: StopRequest,
    known: Node | None = None,
    callbacks: Sequence[lightning.Callback] = (),
) -> Parts:
    """Build all parts of a run; mistakes in the data or weights raise a Problem here, before training.

    Args:
        cfg: Config of the run.
        folder: Folder of the run.
        stop: Stop request, set by Ctrl-C and SIGTERM.
        known: Card of the checkpoint to resume from; the initial weights are then not loaded again.
        callbacks: Callbacks that a command adds to the run.
    """
    cfg, choice = resolve_finetune(cfg, known, build_data)
    cfg = cfg | {"model": model_to_start(cfg, known)}
    data = build_data(cfg, Preprocess.from_dict(known["preprocess"]) if known else None)
    saver = build_saver(cfg, folder, stop)
    tricks = build_tricks(cfg["trick"], folder=folder, seed=cfg["seed"])
    loggers = [make(node, folder=folder) for node in cfg["logger"].values()] if screen.speaks() else []
    called = [trick for trick in tricks.values() if isinstance(trick, lightning.Callback)]
    shown = [*pictures_of(data, folder), ProgressBar(shown=[f"val/{headline(cfg)}", saver.monitor])]
    together = [TimeSpent(), *called, OptimizerModes(), StepLog(), *shown, *callbacks, saver]
    trainer = build_trainer(cfg, folder, callbacks=clipping_last(together), logger=loggers)
    keep_batch(known, data, trainer.world_size)
    classifier = build_classifier(cfg, data, trainer, tricks)
    classifier.card |= guide(classifier, cfg, data, tricks, load_named, known)
    classifier.card |= {"finetune": choice} if choice else {}
    classifier.card |= {"model": known["model"]} if known else {}  # where its first weights came from
    if isinstance(classifier, TransferClassifier) and isinstance(classifier.strategy, LinearProbe):
        cache_features(classifier.strategy, classifier.net, data, trainer, [*tricks.values()], stop)
    warmup = classifier.schedule.warmup_steps(steps := classifier.step_plan.total)
    refuse_impossible(cfg, classes=data.classes, warmup=warmup, total_steps=steps)
    return Parts(data=data, classifier=classifier, saver=saver, trainer=trainer)


def build_saver(cfg: Node, folder: Path, stop: StopRequest) -> Saver:
    """Build the callback that writes checkpoints and selects the best epoch."""
    monitor = monitored(cfg)
    return Saver(
        folder=folder / "checkpoints",
        monitor=monitor,
        lower=lower_is_better_of(cfg, monitor),
        every=cfg["save_every"],
        top=cfg["save_top"],
        stop=stop,
    )


def build_data(cfg: Node, preprocess: Preprocess | None = None) -> ImageData:
    """Build the data module, with the normalisation constants of pretrained weights if there are any."""
    own, knobs = schema.split("data", cfg["data"])
    task = get_object(cfg["task"]["_target_"])
    max_pixels, knobs["visible"] = knobs.pop("max_pixels"), visible_of(knobs)
    takes = said_by(task).takes
    source = make(own, seed=cfg["seed"], labelled=bool(takes), takes=takes, max_pixels=max_pixels)
    refuse_other_labels(source.splits, takes, task=task_name(cfg))
    refuse_non_finite(source)
    if knobs["balance"]:
        refuse_all_but_classes(source.splits["train"].labels, "data.balance")
    knobs["extra"] = extra_of(knobs, source.classes, max_pixels)
    augment = [make(node) for node in cfg["augment"].values()]
    preprocess = preprocess or pretrained_preprocess(cfg["model"], size=knobs["size"])
    data = ImageData(
        source=source, augment=augment, seed=cfg["seed"], preprocess=preprocess, task=task, **knobs
    )
    if data.decided:
        screen.say(f"data.decisions: {summarise(data.decided)} ({knobs['decisions']}).")
    if data.extra:
        screen.say(data.extra.in_words())
    return data


def build_tricks(nodes: Node, **facts: Any) -> dict[str, Any]:
    """Build the tricks by name, each a Lightning callback or one of the kinds in `contracts.py`."""
    tricks = {name: make(node, **facts) for name, node in nodes.items()}
    for name, trick in tricks.items():
        if not isinstance(trick, (lightning.Callback, *TRICKS)):
            raise Problem(
                f"trick.{name}: {type(trick).__name__} is not a trick; make it a Lightning callback or what "
                f"imagelab.contracts calls {' or '.join(kind.__name__ for kind in TRICKS)}."
            )
    return tricks


def build_classifier(
    cfg: Node, data: ImageData, trainer: lightning.Trainer, tricks: dict[str, Any]
) -> Classifier:
    """Build the module to train."""
    size, channels = data.preprocess.size, data.in_channels
    more = {"seed": cfg["seed"], "sample": data.sample, "signals": data.preprocess.signals}
    net = build_net(cfg["model"], data.classes, channels, size, **more)
    task = build_task(cfg, data, trainer.world_size)
    set_head(net, task.head, zero=said_by(task).starts_at_zero, in_channels=channels, size=size)
    trainer.precision_plugin.convert_module(net)  # now, so that a 64-bit checkpoint is loaded as one
    if cfg["trainer"]["compile"]:
        net.compile()  # in place, which keeps the names of the weights
    batch = data.batch(trainer.world_size) * trainer.world_size * trainer.accumulate_grad_batches
    optimizer, groups = build_optimizer(cfg["optimizer"], net, batch, grouping(cfg))
    rewires = [trick for trick in tricks.values() if isinstance(trick, Rewire)]
    plan = build_step_plan(data, trainer, tricks)
    every = log_interval(cfg["trainer"]["log_every_n_steps"], plan.total)
    trainer.log_every_n_steps = every  # pyright: ignore[reportAttributeAccessIssue] - Lightning has it
    classifier = classifier_class(cfg, trainer.max_epochs or 1, tricks)(
        net=net,
        task=task,
        optimizer=optimizer,
        groups=groups,
        schedule=make(cfg["schedule"], seed=cfg["seed"]),
        step_plan=plan,
        card=card_of_run(cfg, data) | {"recipe": recipe(plan, trainer.world_size)},
        seed=cfg["seed"],
        channels_last=cfg["model"]["channels_last"],
        window=every * trainer.accumulate_grad_batches,
        penalties={name: trick for name, trick in tricks.items() if isinstance(trick, Penalty)},
        rewires=rewires,
        split=batch_loss(tricks, halve=cfg["trainer"]["on_oom"] == "halve"),
    )
    shard_when_started(classifier, trainer.strategy)
    for trick in rewires:
        trick.rewired(net)  # try it now, rather than at the first training step
    if isinstance(trainer.strategy, DDPStrategy) and trains_in_parts(classifier):
        # What is frozen has no gradients to wait for; Lightning sets this by the strategy's name.
        trainer.strategy._ddp_kwargs["find_unused_parameters"] = True
    return classifier


def trains_in_parts(classifier: Classifier) -> bool:
    """Whether some weights are frozen in some steps: those of a stage, or of one network of a pair."""
    if isinstance(classifier, Adversarial):  # room: generators
        return True
    return isinstance(classifier, TransferClassifier) and classifier.trains_in_parts


def classifier_class(cfg: Node, epochs: int, tricks: dict[str, Any]) -> Callable[..., Classifier]:
    """Choose the class of the module for what the task trains, and how."""
    if says(cfg["task"]).generates:  # room: generators
        return partial(Adversarial, critic_penalties=critic_penalties(tricks))
    if not tuning(cfg):
        return Classifier
    if says(cfg["finetune"]).adapts:  # room: finetune/lora
        return partial(LowRankClassifier, strategy=make(cfg["finetune"]), epochs=epochs)
    return partial(TransferClassifier, strategy=make(cfg["finetune"]), epochs=epochs)


def build_task(cfg: Node, data: ImageData, ranks: int) -> Task:
    """Build the task for this number of devices."""
    labels = {"classes": data.classes, "labels": data.splits["train"].labels}
    return make(
        cfg["task"],
        loss=make(cfg["loss"], **labels),
        **labels,
        in_channels=data.in_channels,
        size=data.preprocess.size,
        batch=data.batch(ranks) * ranks,
    )


def build_step_plan(data: ImageData, trainer: lightning.Trainer, tricks: dict[str, Any]) -> StepPlan:
    """Plan the steps of the run, epoch by epoch."""
    batches = data.steps(trainer.world_size)
    limit = trainer.limit_train_batches
    batches = min(batches, limit) if isinstance(limit, int) else max(1, int(batches * limit))
    window = trainer.accumulate_grad_batches
    epochs = trainer.max_epochs or 1
    growth = next((trick for trick in tricks.values() if isinstance(trick, GrowsBatches)), None)
    return StepPlan(
        batches=batches,
        windows=growth.windows(window, epochs) if growth else [window] * epochs,
        images=data.batch(trainer.world_size) * trainer.world_size,
    )


def build_trainer(cfg: Node, folder: Path, **parts: Any) -> lightning.Trainer:
    """Build Lightning's trainer, with our checkpoints and samplers instead of its own."""
    own, _ = schema.split("trainer", cfg["trainer"])
    own |= devices(own)
    ours = {"use_distributed_sampler": False, "enable_progress_bar": False, "plugins": plugins(own)}
    return make(own, default_root_dir=folder, **ours, **profiler(own), **parts)
