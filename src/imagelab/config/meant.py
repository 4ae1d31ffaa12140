"""Recognise overrides that mean something else than they say: spaces around =, familiar names, open lists."""

import re

from imagelab.config import menu
from imagelab.config.compose import key

# What other programs call our keys; `config/arguments.py` suggests the nearest name for typos.
FAMILIAR = {
    "accumulate": "trainer.accumulate_grad_batches",
    "arch": "model",
    "batch": "data.batch_size",
    "batch_size": "data.batch_size",
    "bs": "data.batch_size",
    "clip": "trainer.gradient_clip_val",
    "data_dir": "data.root",
    "dataset": "data",
    "devices": "trainer.devices",
    "dropout": "model.dropout",
    "epochs": "trainer.max_epochs",
    "gpus": "trainer.devices",
    "image_size": "data.size",
    "img_size": "data.size",
    "label_smoothing": "loss.label_smoothing",
    "learning_rate": "optimizer.lr",
    "lr": "optimizer.lr",
    "max_epochs": "trainer.max_epochs",
    "momentum": "optimizer.momentum",
    "n_epochs": "trainer.max_epochs",
    "num_epochs": "trainer.max_epochs",
    "num_workers": "data.workers",
    "optim": "optimizer",
    "precision": "trainer.precision",
    "root": "data.root",
    "scheduler": "schedule",
    "warmup": "schedule.warmup",
    "wd": "optimizer.weight_decay",
    "weight_decay": "optimizer.weight_decay",
    "weights": "model.weights",
    "workers": "data.workers",
}


def corrected(words: list[str], command: str) -> tuple[list[str], list[str]]:
    """The words as they were meant, and a sentence for each that has to be typed differently."""
    joined, found = _joined(words)
    known = menu.root_keys(command).keys() | menu.questions(command).keys()
    meant = []
    for word in joined:
        name = key(word)
        full = FAMILIAR.get(name, "")
        if name in known or full.partition(".")[0] not in menu.questions(command) or "=" not in word:
            meant.append(word)
            continue
        meant.append(f"{full}={word.partition('=')[2]}")
        found.append(f"{name}: no such key; set {meant[-1]}")
    return meant, found


def _joined(words: list[str]) -> tuple[list[str], list[str]]:
    """The words without spaces around =, and a sentence for each that had some.

    >>> _joined(["optimizer.lr", "=", "0.1"])
    (['optimizer.lr=0.1'], ['optimizer.lr = 0.1: has spaces around =; type optimizer.lr=0.1'])
    >>> _joined(["optimizer.lr = 0.1"])[0]  # in quotes
    ['optimizer.lr=0.1']
    """
    rest = list(words)
    meant = []
    found = []
    while rest:
        typed = [rest.pop(0)]
        if "=" not in typed[0] and rest and rest[0].startswith("="):
            typed.append(rest.pop(0))
        if typed[-1].endswith("=") and rest and re.fullmatch(r"[^=\s-][^=]*|-[\d.][^=]*", rest[0]):
            typed.append(rest.pop(0))
        meant.append(re.sub(r"^([^\s=]+)\s+=\s*", r"\1=", "".join(typed)))
        if meant[-1] != typed[0]:
            found.append(f"{' '.join(typed)}: has spaces around =; type {meant[-1]}")
    return meant, found


def list_completions(line: str, command: str) -> list[str] | None:
    """The words that can end a line in an open list, such as `augment=[crop,fl`; None if there is no list."""
    match = re.search(r"(?:^|\s)((\w+)=\[(?:(.*),)?)([^,\s\]]*)$", line)
    if not match or not isinstance(menu.questions(command).get(match[2]), list):
        return None
    before, group, listed, start = match.groups()
    others = [name for name in menu.choices(group) if name not in (listed or "").split(",")]
    return [f"{before}{name}" for name in others if name.startswith(start)]
