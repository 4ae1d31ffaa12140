"""Suggest what to try next after a verdict, as a command to paste: the run's own overrides with a change."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from imagelab.config.compose import compose, plainest
from imagelab.config.facts import says
from imagelab.config.hydra_internals import quoted
from imagelab.config.schema import Node
from imagelab.config.trust import refuse_untrusted_words
from imagelab.config.validate import quick_problems
from imagelab.problem import Problem
from imagelab.reports.states import State
from imagelab.terminal.summary import near

CLIP = "trainer.gradient_clip_val=1"
TENFOLD = (
    "Use ten times the learning rate"
    ", or run `imagelab find_lr`"  # room: finders
    "."
)
GROUPS = "model.norm=group"  # room: generators
OF_GENERATORS = ("collapsed", "discriminator wins", "discriminator memorises")  # room: generators
NEVER_AGAIN = ("hydra.run.dir", "hydra.sweep.dir", "resume")  # overrides that name a folder in use


class Advice(NamedTuple):
    """A sentence that says what to try next, and the command that does it."""

    sentence: str
    command: str


def advice(state: State, cfg: Node, words: list[str], folder: Path, *, finished: bool) -> Advice:
    """Suggest the next step for a state.

    Args:
        state: Verdict on the curves.
        cfg: Config of the run.
        words: Overrides that the run was started with.
        folder: Folder of the run.
        finished: Whether the run has finished.
    """
    if not finished and state in ("healthy", "train longer", "too early to say"):
        return Advice("Resume the run.", f"imagelab train resume={shlex.quote(near(folder))}")
    return next(_steps(state, cfg, words))


def accepted(words: list[str], changes: list[str]) -> bool:
    """Whether the config of a run accepts changes of its overrides."""
    composed = compose("train", _changed(words, changes))
    return composed.cfg is not None and not composed.problems and not quick_problems(composed.cfg)


def typed(folder: Path, cfg: Node) -> list[str]:
    """The overrides that a run was started with; none if they were not kept.

    A stranger may have written the file, and they go into commands to paste. In place of one that could
    run any code stands the value in the config, which was checked when it was read, or nothing.

    Args:
        folder: Folder of the run.
        cfg: Config of the run.
    """
    file = folder / ".hydra" / "overrides.yaml"
    try:
        words = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    except (OSError, ValueError, yaml.YAMLError):
        words = None
    harmless = [_harmless(plainest(str(word)), cfg) for word in words] if isinstance(words, list) else []
    return [word for word in harmless if word]


def _harmless(word: str, cfg: Node) -> str:
    """A word that runs no code: itself, or the value that the config has for it; empty if neither is one."""
    try:
        refuse_untrusted_words([word], "")
    except Problem:
        node: Any = cfg
        for part in _key(word).split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return f"{_key(word)}={quoted(node)}" if isinstance(node, str | int | float) else ""
    return word


def _steps(state: State, cfg: Node, words: list[str]) -> Iterator[Advice]:
    """What to do next, the best first."""
    seeds = _command("train -m", words, [f"seed={cfg['seed'] + 1},{cfg['seed'] + 2}"])
    if state == "healthy":
        yield Advice("Nothing needs to change; run other seeds to see how much of the result is luck.", seeds)
    if state in ("not learning", "not generalising"):  # room: checks
        yield Advice(
            "Let `imagelab check` find what is broken: labels, inputs, splits, gradients, rate.",
            _command("check", words, []),
        )
    if state == "overfitting" and "early_stopping" in cfg["trick"]:  # room: inspection
        yield Advice(
            "More images would help most; check that labels and splits of these are in order.",
            _command("inspect", words, []),
        )
    for sentence, changes in _changes(state, cfg):
        if changes and accepted(words, changes):
            yield Advice(sentence, _command("train", words, changes))
    yield Advice("Let `imagelab check` find what is wrong.", _command("check", words, []))  # room: checks
    yield Advice("Run other seeds to see how much of the result is luck.", seeds)


def _changes(state: State, cfg: Node) -> Iterator[tuple[str, list[str]]]:
    """What to try, the first choice first: a sentence, and overrides."""
    if state in OF_GENERATORS:  # room: generators
        yield from _balance(state, cfg)
        return
    if state in ("train longer", "too early to say"):
        epochs = int(cfg["trainer"]["max_epochs"] or 10)
        more = 2 * epochs if state == "train longer" else max(2 * epochs, 10)
        yield f"Train for {more} epochs.", [f"trainer.max_epochs={more}"]
    elif state == "LR too high":
        yield "Use a third of the learning rate.", _rate(cfg, 1 / 3)
    elif state == "LR too low":
        yield TENFOLD, _rate(cfg, 10)
    elif state == "diverged":
        slower = _rate(cfg, 0.1)
        if slower and not cfg["trainer"].get("gradient_clip_val"):
            yield "Use a tenth of the learning rate, and clip the gradient.", [*slower, CLIP]
        yield "Use a tenth of the learning rate.", slower
        yield "Clip the gradient.", [CLIP]
    elif state == "not learning":
        yield "Check labels and inputs; if they are fine, use a tenth of the learning rate.", _rate(cfg, 0.1)
    elif state == "no validation":
        yield "Hold out more images, to see how much is memorised.", ["data.val_fraction=0.2"]
    else:
        yield from _more_capacity(cfg) if state == "underfitting" else _more_regularisation(cfg)


def _balance(state: State, cfg: Node) -> Iterator[tuple[str, list[str]]]:  # room: generators
    """What helps a generator and a discriminator to stay on a level."""
    errors = says(cfg["model"]).scores_are_errors
    if state == "collapsed" and errors:
        yield "Aim at a higher error of generated images, so that they vary more.", ["loss.ratio=0.9"]
        yield "Judge images by a classifier of real and generated ones instead.", ["model=dcgan"]
    elif state == "collapsed":
        yield "Let R1 keep the discriminator smooth, without BatchNorm.", [*_with(cfg, "r1"), GROUPS]
        yield "Give the generator half the rate of the discriminator.", ["task.generator_rate=0.5"]
    elif state == "discriminator wins":
        yield "Put noise on its layers, which fades.", _with(cfg, "instance_noise")
        yield "Smooth the targets of real images.", ["task.smooth_real=0.1"]
    elif state == "discriminator memorises":
        yield "Put noise on its layers; more images would help most.", _with(cfg, "instance_noise")
        yield "Let R1 keep it smooth, without BatchNorm.", [*_with(cfg, "r1"), GROUPS]


def _more_regularisation(cfg: Node) -> Iterator[tuple[str, list[str]]]:
    augment = cfg["augment"]
    model = cfg["model"]
    decay = cfg["optimizer"].get("weight_decay")
    if says(cfg["task"]).takes == "boxes" and "scale_jitter" not in augment:  # room: detection
        yield (
            "Vary the sizes of objects, or get more images.",
            [f"augment=[{','.join([*augment, 'scale_jitter'])}]"],
        )
    if "crop" not in augment:
        names = ",".join([*augment, "crop"])
        yield "Augment the images, or get more of them.", [f"augment=[{names}]"]
    if model["dropout"] is None:
        yield "Add dropout before the last layer.", ["model.dropout=0.3"]
    if decay is not None and decay < 0.05:
        yield "Use more weight decay.", [f"optimizer.weight_decay={max(0.05, 5 * decay):g}"]
    names = ",".join([*cfg["trick"], "early_stopping"])
    yield "Stop when validation is best; more images would help most.", [f"trick=[{names}]"]


def _more_capacity(cfg: Node) -> Iterator[tuple[str, list[str]]]:
    model = cfg["model"]
    if model["dropout"] is not None:
        yield "Turn dropout off: nothing is memorised yet.", ["model.dropout=null"]
    if isinstance(model.get("widths"), list):
        wider = ",".join(str(2 * width) for width in model["widths"])
        yield "Take a network of twice the width.", [f"model.widths=[{wider}]"]
    if isinstance(model.get("width"), int):
        yield "Take a network of twice the width.", [f"model.width={2 * model['width']}"]
    yield "Use three times the learning rate, then a larger network.", _rate(cfg, 3)


def _with(cfg: Node, trick: str) -> list[str]:
    return [] if trick in cfg["trick"] else [f"trick=[{','.join([*cfg['trick'], trick])}]"]


def _rate(cfg: Node, factor: float) -> list[str]:
    return [f"optimizer.lr={cfg['optimizer']['lr'] * factor:.2g}"] if "lr" in cfg["optimizer"] else []


def _command(command: str, words: Iterable[str], changes: list[str]) -> str:
    """The command with the words, without those that the changes replace, and the changes.

    >>> _command("train", ["seed=1", "augment=[flip]"], ["seed=2"])
    "imagelab train 'augment=[flip]' seed=2"
    """
    return f"imagelab {command} {shlex.join(_changed(words, changes))}".strip()


def _changed(words: Iterable[str], changes: list[str]) -> list[str]:
    new = {_key(change) for change in changes}
    return [*(word for word in words if _key(word) not in (*new, *NEVER_AGAIN)), *changes]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")
