"""The words that a choice needs beside it, to make a run: most choices need none."""

from itertools import product

from imagelab.config import menu
from imagelab.config.facts import Facts, says
from imagelab.config.rules.tasks import PAIRS  # room: generators

GIVEN = {
    "model=fcos": ["task=detect"],
    "model=retinanet": ["task=detect"],
    "model=faster_rcnn": ["task=detect"],
    "model=dcgan": ["task=gan"],  # room: generators
    "model=began": ["task=gan"],  # room: generators
    "loss=wasserstein": ["trick=[weight_clip]"],  # room: generators
    "loss=equilibrium": ["model=began"],  # room: generators
    "trick=gradient_penalty": ["task=gan", "model.norm=group"],  # room: generators
    "trick=instance_noise": ["task=gan"],  # room: generators
    "trick=r1": ["task=gan", "model.norm=group"],  # room: generators
    "trick=weight_clip": ["task=gan"],  # room: generators
    "optimizer=lbfgs": ["data.batch_size=full"],
    "task=simclr": ["augment=[crop]"],
    "trick=snapshots": ["schedule=cosine_restarts"],
}
# The labels that data sets have, other than one class per image.
LABELS = {
    "boxes": ("boxes",),
    "celeba": ("multilabel",),
    "digits_facts": ("multilabel", "values"),
    "scenes": ("boxes",),
}
TOGETHER = ("task", "loss", "data")
DEFAULTS = tuple(menu.questions("train")[group] for group in TOGETHER)


def facts(group: str, choice: str) -> Facts:
    node = menu.load(menu.folder() / group / f"{choice}.yaml")
    nested = node.get(choice)  # choices of a list are nested under their name
    return says(nested if isinstance(nested, dict) else node)


def together(task: str, loss: str, data: str) -> bool:
    """Whether the loss judges what the task predicts, and the data have the labels that it takes."""
    said, judges = facts("task", task), facts("loss", loss).judges
    fits = said.takes in ("", *LABELS.get(data, ("class",)))
    if said.takes in ("", "boxes"):  # which have losses of their own
        return fits and loss == DEFAULTS[1]
    predicted = said.predicts
    predicted = PAIRS if said.generates else predicted  # room: generators
    return (not judges or predicted in judges) and fits


def changes(combination: tuple[str, ...]) -> int:
    return sum(one != default for one, default in zip(combination, DEFAULTS, strict=True))


# Task, loss and data that fit each other: with labels, near the defaults, alone, without a download first.
FITTING = sorted(
    (one for one in product(*map(menu.choices, TOGETHER)) if together(*one)),
    key=lambda one: (
        not facts("task", one[0]).takes,
        changes(one),
        f"loss={one[1]}" in GIVEN,
        bool({"download", "root"} & menu.keys("data", one[2])),
    ),
)


def partners(group: str, choice: str) -> list[str]:
    """Further words for a run with this choice, such as a task and data for a loss of values."""
    words = GIVEN.get(f"{group}={choice}", [])
    if group not in TOGETHER:
        return words
    found = next(one for one in FITTING if one[TOGETHER.index(group)] == choice)
    pairs = zip(TOGETHER, found, DEFAULTS, strict=True)
    return words + [f"{key}={name}" for key, name, default in pairs if name != default and key != group]
