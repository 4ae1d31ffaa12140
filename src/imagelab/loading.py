"""Load a trained network from a run, a checkpoint or a .safetensors file, for `imagelab.load`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imagelab import imagenet
from imagelab.checkpoints.card import FITTED
from imagelab.checkpoints.content import (
    certainty_of,
    expect_ours,
    expect_predictions,
    fitted,
    module_state,
    nearness_of,
)
from imagelab.checkpoints.durable import BEST, read
from imagelab.checkpoints.hub import local, weights_in
from imagelab.checkpoints.safetensors import ENDING, read_safetensors
from imagelab.config.make import make
from imagelab.config.schema import Node
from imagelab.config.trust import refuse_untrusted, trusting
from imagelab.data.preprocess import Preprocess
from imagelab.data.reader import Reader
from imagelab.generator import Generator  # room: generators
from imagelab.model.head import set_head
from imagelab.model.network import bare, build_net
from imagelab.predictor import Predictor, no_loss
from imagelab.problem import Problem, first_line
from imagelab.runs import find

CLASSIFY = {"_target_": "imagelab.task.classify.Classify"}  # for older cards, which have no task

BUILT = ("model", "task_config", "preprocess", "reader")  # of a card; names of classes may be any text


def load(path: str | Path, trust: Sequence[str] = ()) -> Predictor:
    """Load a network from the folder of a run (its best weights), a checkpoint or a .safetensors file.

    The network is on the CPU, with the raw or averaged weights, whichever were better in validation.

    Args:
        path: Folder or file, `hf:USER/NAME` on the Hugging Face hub, `wandb:ENTITY/PROJECT/NAME` among the
            artifacts of W&B, or `weights`, trained on ImageNet.
        trust: Modules besides this project's own that the file may name.

    Raises:
        Problem: If the file is missing or damaged, comes from another program, or was trained without labels.
    """
    if str(path) == find.IMAGENET:  # room: model/efficientnet_lite0
        return imagenet.efficientnet()
    path = weights_in(local(path))
    with trusting(trust):
        return _load(path)


def load_fast(name: str) -> Predictor:
    """Load what a command was given as its network, onto this machine's accelerator if there is one.

    Args:
        name: What `runs.find.network` takes.

    Raises:
        Problem: There is none, or as in `load`.
    """
    return accelerated(load(find.network(name)))


def accelerated(predictor: Predictor) -> Predictor:
    """The predictor on this machine's accelerator, if there is one."""
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return predictor.to(device or "cpu")


def _load(path: Path) -> Predictor:
    if path.suffix == ENDING:
        return from_card(*read_safetensors(path))
    checkpoint = read(path / "checkpoints" / BEST if path.is_dir() else path)
    expect_ours(checkpoint, path)
    expect_predictions(checkpoint, path)
    return from_checkpoint(checkpoint)


def from_checkpoint(checkpoint: dict[str, Any], weights: str | None = None) -> Predictor:
    """Build the network that a checkpoint describes, with its weights; nothing is downloaded.

    Args:
        checkpoint: Content of the checkpoint.
        weights: raw, ema or swa; None: those that were better in validation.

    Raises:
        Problem: If the checkpoint does not hold these weights.
    """
    state = module_state(checkpoint, weights)
    predictor = from_card(checkpoint["imagelab"] | {FITTED: fitted(state)}, _net_state(state))
    predictor.certainty = certainty_of(checkpoint, weights)
    predictor.nearness = nearness_of(checkpoint, weights)
    return predictor


def from_card(card: dict[str, Any], state: dict[str, Tensor]) -> Predictor:
    """Build the network that a card describes.

    Args:
        card: Card with classes, preprocess, reader, model, task, seed and, if the task has any, its numbers.
        state: Weights and buffers of the network by name.

    Raises:
        Problem: If the card names something that is not trusted, or does not describe a network.
    """
    try:
        return _built(card, state)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        why = f"{type(error).__name__}: {first_line(error)}"
        raise Problem(f"The card of the network does not describe one with these weights ({why}).") from error


def _built(card: dict[str, Any], state: dict[str, Tensor]) -> Predictor:
    preprocess = Preprocess.from_dict(card["preprocess"])
    task, net = _parts_from(card, state, preprocess)
    reader = Reader(**card["reader"])
    return Predictor(net=net, classes=card["classes"], preprocess=preprocess, reader=reader, task=task)


def load_generator(
    path: str | Path, weights: str | None = None, trust: Sequence[str] = ()
) -> Generator:  # room: generators
    """Load a generator from the folder of a run of `task=gan` (its best weights) or from a checkpoint.

    Args:
        path: Folder or file.
        weights: raw, ema or swa; None: those that were better in validation.
        trust: Modules besides this project's own that the file may name.

    Raises:
        Problem: If the file is missing or damaged, or holds no generator.
    """
    path = Path(path)
    content = read(path / "checkpoints" / BEST if path.is_dir() else path)
    expect_ours(content, path)
    card = content["imagelab"]
    with trusting(trust):
        if not card.get("generates"):
            raise Problem(f"{path} holds no generator; train one: imagelab train task=gan")
        preprocess = Preprocess.from_dict(card["preprocess"])
        _, net = _parts_from(card, _net_state(module_state(content, weights)), preprocess)
    return Generator(net=net, classes=card["classes"], preprocess=preprocess)


def _parts_from(card: Node, state: dict[str, Tensor], preprocess: Preprocess) -> tuple[Any, torch.nn.Module]:
    """The task and the network of a card, with these weights."""
    with torch.random.fork_rng(devices=[]):  # the draws are overwritten; keep the global random state
        task = task_from(card)
        channels, size = preprocess.channels, preprocess.size
        more = {"seed": card["seed"], "signals": preprocess.signals}
        net = build_net(bare(card["model"]), card["classes"], channels, size, **more)
        set_head(net, task.head, in_channels=channels, size=size)
    net.load_state_dict(state)
    return task, net


def _net_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the network in the state of a module, by their names in the network."""
    prefix = "net."
    return {name.removeprefix(prefix): weight for name, weight in state.items() if name.startswith(prefix)}


def task_from(card: Node) -> Any:
    """Build the task that a card describes, to use its network, not to train it.

    Raises:
        Problem: If the card names something that is not trusted.
    """
    refuse_untrusted({key: card[key] for key in BUILT if key in card}, "The card of the network")
    preprocess = card["preprocess"]
    facts = {"in_channels": preprocess["channels"], "size": preprocess["size"], "batch": 1, "labels": None}
    task = make(card.get("task_config", CLASSIFY), loss=no_loss, classes=card["classes"], **facts)
    for name, values in card.get(FITTED, {}).items():
        getattr(task, name).copy_(torch.tensor(values))
    return task


def load_named(name: str, classes: list[str]) -> tuple[str, Predictor]:
    """Load what `find.network` finds, or a network of timm with its weights; and its name once resolved.

    Args:
        name: A run, `last`, a file of weights, a name on a hub, `weights`, or a name in timm.
        classes: Classes of the run that asks: those of ImageNet are called as they are there.

    Raises:
        Problem: There is no such network.
    """
    import timm

    file = Path(name).expanduser()
    if not file.exists() and timm.is_model(name):
        return name, imagenet.timm_network(name, classes)
    where = str(find.network(name))
    predictor = load(where)
    if where == find.IMAGENET:  # room: model/efficientnet_lite0
        predictor.classes = imagenet.class_names("imagenet-1k", classes)
    return where, predictor
