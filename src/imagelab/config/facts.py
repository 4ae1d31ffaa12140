"""Read the facts that a class declares in class attributes, from its source, so that nothing is imported.

A class declares a fact as a literal: `line_search = True`. Subclasses inherit or override it.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

from imagelab.config.library_facts import LIBRARY_FACTS
from imagelab.config.schema import Node
from imagelab.config.source import bases, definition

ANOTHER_NAME = {"pytorch_lightning": "lightning"}


class Facts(NamedTuple):
    """What the rules need to know about a class besides its arguments; a class overrides these defaults."""

    # Augmentations.
    mixes_labels: bool = False  # blends images and their labels (contracts.Mix)
    follows_boxes: bool = False  # tells where boxes go (augment/follows.py)  # room: detection
    reads_boxes: bool = False  # decides by them what to cut out  # room: detection

    # Tasks.
    # Which labels it learns from; empty: none.
    takes: Literal["class", "multilabel", "values", "boxes", ""] = "class"
    # "classes", "tags", "values", "boxes", or a word of your own; empty: nothing.
    predicts: str = ""
    measures: dict[str, Literal["higher", "lower"]] = {}  # noqa: RUF012 - metrics of its own
    views: int = 1  # how often a batch shows each image, augmented differently each time
    # room: generators
    # It makes images, by a pair of networks (gan.Adversarial); of a network: it is a pair.
    generates: bool = False
    # end
    centred: bool = False  # its images are in [-1, 1], the range of tanh, not standardised
    compares_batch: bool = False  # its loss compares the images of a batch, so it is not a mean over them
    starts_at_zero: bool = False  # its head's bias starts at 0, which stands for the mean of its values

    # Networks.
    detects: bool = False  # finds boxes, and computes its own loss (model/detector.py)  # room: detection
    scores_are_errors: bool = False  # a score is minus the error of a drawing  # room: generators

    # Losses and optimizers.
    cross_entropy: bool = False  # the cross entropy of logits in nats: log K at chance level
    soft_targets: bool = True  # its targets may lie between real and generated  # room: generators
    needs_lipschitz: bool = False  # needs a critic whose slope is bounded  # room: generators
    takes_errors: bool = False  # its scores are errors  # room: generators
    judges: tuple[str, ...] = ()  # what the task of a loss must predict (`predicts`); empty: anything
    # Evaluates the loss several times per step and compares it with earlier steps: needs all images in one
    # batch, unscaled and unclipped gradients, and one rate for all weights.
    line_search: bool = False
    one_rate: bool = False  # has one rate for all weights, and sees them whole
    rate_factor: str = ""  # the key of a parameter group by which it multiplies `lr`; empty: none
    has_modes: bool = False  # trains other weights than it evaluates; `train()` and `eval()` exchange them
    adapts_to_norms: bool = False  # scales the rate of each weight by its norm

    # Schedules, finetune, sweeps.
    has_cycles: bool = False  # decays several times; `cycles` returns when each cycle ends
    adapts: bool = False  # trains matrices beside the weights  # room: finetune/lora
    from_scratch: bool = False  # trains without the weights that the model asks for
    holds_out_folds: bool = False  # sets data.fold of each of its runs

    # Tricks, finetune.
    averages_weights: str = ""  # the name of a second set of weights, in metrics and checkpoints
    averages_from_start: bool = False  # that set is validated from the first epoch on
    clips_gradients: bool = False
    grows_batches: bool = False  # changes how many batches form a step (contracts.GrowsBatches)
    moves_gradients: bool = False  # takes gradients at other weights (contracts.MovesGradients)
    measures_sharpness: bool = False  # logs train/sharpness
    watches_layers: bool = False  # reads the weights or outputs of whole layers
    needs_classes: bool = False  # needs a task that predicts classes
    needs_shares: bool = False  # needs a task that predicts classes or tags, which have shares of the images
    needs_mean_loss: bool = False  # needs a loss that is a mean over images
    needs_noise: bool = False  # needs batches of at least two images, but not of all images
    needs_cycles: bool = False  # needs a schedule with cycles, unless its `every` is set
    # room: generators
    needs_critic: bool = False  # needs a discriminator, so a task that generates
    # Needs a critic without BatchNorm, which ties the images of a batch together.
    needs_single_images: bool = False
    bounds_critic: bool = False  # bounds the slope of the critic
    # end
    guides: bool = False  # changes the loss by what another network says (training/guidance.py)
    rewires: bool = False  # trains with other weights than it keeps (contracts.Rewire)
    needs_plain_pass: bool = False  # passes images, without targets, through the network in training mode
    resizes_images: bool = False  # changes the size of images after the data made them, and nothing else
    needs_images: bool = False  # passes images through the whole network: features cannot replace them

    # Anything.
    refused: str = ""  # why it does not work in imagelab, and what to set instead


class Said(NamedTuple):
    """Facts that a class declares itself; `whole`: whether its source shows all of them and its bases."""

    path: str
    facts: Mapping[str, Any]
    whole: bool


def says(node: Node) -> Facts:
    """The facts of the class that a node names: from its source, or from the class if that is unclear.

    >>> says({"_target_": "torch.optim.LBFGS"}).line_search, says({"_target_": "torch.optim.SGD"}).line_search
    (True, False)
    """
    target = str(node["_target_"])
    facts, whole = _read(target)
    kind = None if whole else _imported(target)
    return facts if kind is None else said_by(kind)


def unclear(node: Node) -> bool:
    """Whether the class of a node may declare more: its source is unclear and nothing has imported it."""
    target = str(node["_target_"])
    return not _read(target)[1] and _imported(target) is None


def said_by(thing: object) -> Facts:
    """The facts of a class, or of an instance's class."""
    return _of_class(thing if isinstance(thing, type) else type(thing))


@cache
def _of_class(kind: type) -> Facts:
    own = [_by_itself(one) for one in reversed(kind.__mro__)]
    pairs = [(name, said[name]) for said in own for name in Facts._fields if name in said]
    return Facts(**{name: value for name, value in pairs if not hasattr(value, "__get__")})  # no methods


def _by_itself(kind: type) -> Mapping[str, Any]:
    path = f"{kind.__module__}.{kind.__name__}"
    return _of_library(path) if _top(path) in LIBRARIES else vars(kind)


@cache
def _read(target: str) -> tuple[Facts, bool]:
    """The facts of a class, inherited or its own, and whether all of them could be read."""
    line = [*_line(target)]
    # Bases first: a base shared by several classes comes before the first of them, as in Python.
    by_path = {said.path: said.facts for said in reversed(line)}
    facts = {name: value for own in by_path.values() for name, value in own.items()}
    return Facts(**facts), all(said.whole for said in line)


def _line(target: str) -> Iterator[Said]:
    """A class and all its bases, depth first."""
    if _top(target) in LIBRARIES:
        yield Said(target, _of_library(target), whole=True)
        return
    found = definition(target)
    if found is None or isinstance(found.node, ast.FunctionDef):
        yield Said(target, {}, whole=found is not None)
        return
    assigned = {name: value for statement in found.node.body for name, value in _assigned(statement)}
    facts = {name: value[0] for name, value in assigned.items() if value}
    above = bases(found)
    whole = len(facts) == len(assigned) and None not in above
    yield Said(f"{found.module}.{found.node.name}", facts, whole)
    for base in above:
        yield from _line(base) if base else ()


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, tuple[Any] | None]]:
    """The facts that a statement in a class body assigns; None: the value is not a literal."""
    pairs: list[tuple[ast.expr, ast.expr]] = []
    if isinstance(statement, ast.AnnAssign) and statement.value:
        pairs = [(statement.target, statement.value)]
    elif isinstance(statement, ast.Assign):
        pairs = [(names, statement.value) for names in statement.targets]
    for names, values in pairs:
        several = names.elts if isinstance(names, ast.Tuple) else [names]
        given = values.elts if isinstance(values, ast.Tuple) and len(several) > 1 else [values]
        for name, value in zip(several, given, strict=False):
            if ast.unparse(name) in Facts._fields:
                yield ast.unparse(name), _literal(value)


def _literal(value: ast.expr) -> tuple[Any] | None:
    try:
        return (ast.literal_eval(value),)
    except ValueError:
        return None


def _imported(target: str) -> type | None:
    """The class with this path, if something has imported it."""
    parts = target.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        thing: Any = sys.modules.get(".".join(parts[:cut]))
        if thing is not None:
            for part in parts[cut:]:
                thing = getattr(thing, part, None)
            return thing if isinstance(thing, type) else None
    return None


def _top(path: str) -> str:
    top = path.partition(".")[0]
    return ANOTHER_NAME.get(top, top)


def _of_library(path: str) -> Mapping[str, Any]:
    return KNOWN.get((_top(path), path.rpartition(".")[2]), {})


# Looked up by package and class, since a library may export a class from several modules.
KNOWN = {(_top(path), path.rpartition(".")[2]): said for path, said in LIBRARY_FACTS.items()}
LIBRARIES = {*sys.stdlib_module_names, *(package for package, _ in KNOWN)}
