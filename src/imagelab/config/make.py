"""Build what a `_target_` names; no other module does."""

import inspect
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from hydra.errors import HydraException
from hydra.utils import get_object, instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException

from imagelab.config.schema import Node
from imagelab.problem import Problem

REFUSALS = (ValueError, TypeError, AssertionError, RuntimeError, MisconfigurationException, HydraException)


def make(node: Node, **facts: Any) -> Any:
    """Build what a node names, from its keys and the facts that the target takes as arguments."""
    target = get_object(node["_target_"])
    asked = inspect.signature(target).parameters
    wanted = {name: fact for name, fact in facts.items() if name in asked and name not in node}
    with _refusals(node):  # facts bypass instantiate, which copies what it is given
        return instantiate(node | {"_partial_": True}, _convert_="all")(**wanted)


def make_optimizer(node: Node, groups: list[Node]) -> Callable[..., Any]:
    """Return a function that makes the optimizer; try it now, so that mistakes show before training."""
    optimizer = instantiate(node | {"_partial_": True}, _convert_="all")

    def made(groups: list[Node]) -> Any:
        with redirect_stdout(io.StringIO()):  # prodigyopt prints which kind of decay it has
            return optimizer(groups)

    with _refusals(node):
        made([dict(group) for group in groups])
    return made


@contextmanager
def _refusals(node: Node) -> Iterator[None]:
    """Turn an error that a class raises about its arguments into one sentence."""
    try:
        yield
    except REFUSALS as error:
        why = str(error.__cause__ or error).strip() or type(error).__name__
        name = str(node["_target_"]).rpartition(".")[2]
        raise Problem(f"{name} rejects its arguments: {why.splitlines()[0]}") from error
