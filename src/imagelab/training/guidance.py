"""Let tricks change the loss of a run by what other networks say of its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from imagelab.config.schema import Node

if TYPE_CHECKING:
    from torch import Tensor, nn

    from imagelab.contracts import Inputs


class Trained(Protocol):
    """A trained network (`predictor.Predictor`): `task` says what it predicts, `preprocess` what it sees."""

    net: nn.Module
    classes: list[str]
    task: Any
    preprocess: Any


Load = Callable[[str, list[str]], tuple[str, Trained]]
"""A network by its name, for a run with these classes; and its name once resolved, for a resumed run."""


@runtime_checkable
class Guides(Protocol):
    """A trick that changes the loss of a batch by what another network says of its images.

    guides: True, so that the config check knows it, too.
    """

    guides: bool

    def meet(self, module: Any, data: Any, max_pixels: int, load: Load, known: Any) -> dict[str, Any]:
        """Load what a run needs; returns plain data for its card.

        Args:
            module: The `Classifier` that will be trained.
            data: Its `ImageData`.
            max_pixels: Largest number of pixels of a picture.
            load: Finds trained networks.
            known: What this returned when the run began that is resumed; None for a new run.
        """
        ...

    def guided(self, loss: Tensor, outputs: Tensor, batch: Inputs, module: Any, number: int) -> Tensor:
        """The loss of a training batch, or of a part of it, a scalar.

        loss, outputs: What the task makes of the batch. number: Number of the batch in the run, from 0.
        """
        ...


def guide(
    module: Any, cfg: Node, data: Any, tricks: Mapping[str, object], load: Load, known: Node | None
) -> Node:
    """Give a module the tricks that change its loss; returns plain data for its card, by trick.

    Args:
        module: The `Classifier` that will be trained.
        cfg: Config of the run.
        data: Its `ImageData`.
        tricks: Tricks of the run, by name.
        load: Finds trained networks.
        known: Card of the checkpoint to resume from; None for a new run.

    Raises:
        Problem: A trick finds no such network, or one that does not fit the run.
    """
    found = {name: trick for name, trick in tricks.items() if isinstance(trick, Guides)}
    module.guides = [*found.values()]
    most = cfg["data"]["max_pixels"]
    return {
        name: trick.meet(module, data, most, load, known[name] if known else None)
        for name, trick in found.items()
    }
