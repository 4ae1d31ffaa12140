"""Read the content of a checkpoint: its card, its sets of weights and the task it was trained for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagelab.checkpoints.durable import load_plain
from imagelab.checkpoints.shards import KEY
from imagelab.metrics.certainty import Certainty
from imagelab.metrics.names import RAW
from imagelab.metrics.nearness import Nearness
from imagelab.metrics.table import CLASSES
from imagelab.problem import Problem

SNAPSHOT = "snapshot_"  # followed by a number
TOP = "top_"  # followed by the epoch
OF_TASK = "task."  # before the names of the task's own numbers in the state of a module
CLASSIFY = "classify"  # the task of checkpoints that do not say theirs
NEARNESS = "nearness"  # set of weights -> `Nearness` as plain data
TABLES = ("state_dict", "averages", "fitted", "certainty", NEARNESS, "callbacks")  # if present
OF_CARD = {"classes": list, "preprocess": Mapping}  # what every card has


def card(path: Path) -> dict[str, Any]:
    """The card of an intact checkpoint, without reading its weights into memory."""
    return load_plain(path, mmap=True)["imagelab"]


def module_state(content: dict[str, Any], weights: str | None = None) -> dict[str, Any]:
    """The state of the module in a checkpoint's content, with one of the sets of weights that it holds.

    Args:
        content: Content of the checkpoint.
        weights: raw, or the name of an average; None: those that were better in validation.

    Raises:
        Problem: It holds no such weights.
    """
    if KEY in content:
        raise Problem(
            "This checkpoint is divided among files and serves only to resume its run; name the folder of "
            "the run or its best.ckpt instead."
        )
    averages = content.get("averages", {})
    name = weights or better(content)
    own = content["state_dict"] | content.get("fitted", {}).get(name, {})
    if name == RAW:
        return own
    if name not in averages:
        raise Problem(f"weights={name}: the checkpoint has {' and '.join([RAW, *averages])} weights")
    return own | {f"net.{key}": tensor for key, tensor in averages[name].items()}


def fitted(state: Mapping[str, Any]) -> dict[str, list[float]]:
    """The numbers that the task of a module's state has from the data, such as the mean of its values."""
    own = {name.removeprefix(OF_TASK): value for name, value in state.items() if name.startswith(OF_TASK)}
    return {name: value.tolist() for name, value in own.items() if "." not in name}  # not those of its loss


def certainty_of(content: dict[str, Any], weights: str | None = None) -> Certainty | None:
    """How sure a set of weights is; None if the checkpoint does not say it.

    Args:
        content: Content of the checkpoint.
        weights: raw, or the name of an average; None: those that were better in validation.
    """
    found = content.get("certainty", {}).get(weights or better(content))
    return Certainty(**found) if found else None


def nearness_of(content: dict[str, Any], weights: str | None = None) -> Nearness | None:
    """The features of known images by a set of weights; None if the checkpoint does not hold them.

    Args:
        content: Content of the checkpoint.
        weights: raw, or the name of an average; None: those that were better in validation.
    """
    found = content.get(NEARNESS, {}).get(weights or better(content))
    return Nearness(**found) if found else None


def better(content: dict[str, Any]) -> str:
    """The name of the weights in a checkpoint's content that were better in validation: raw, ema or swa."""
    return content.get("weights", RAW)


def task_of(content: dict[str, Any]) -> str:
    """The name of the task that a checkpoint was trained on."""
    return content.get("imagelab", {}).get("task", CLASSIFY)


def predicts(content: dict[str, Any]) -> str:
    """What the network of a checkpoint's content predicts, "classes"; empty: nothing."""
    before = CLASSES if task_of(content) == CLASSIFY else ""  # of one that does not say it
    return content.get("imagelab", {}).get("predicts", before)


def expect_ours(content: Any, where: object) -> None:
    """Raise a Problem if the content of a checkpoint is not laid out as this project writes it.

    Args:
        content: Content of the checkpoint: plain data, perhaps of another program.
        where: Path of the checkpoint, or folder of its run.
    """
    if not isinstance(content, Mapping) or "imagelab" not in content:
        raise Problem(
            f"{where} is not a checkpoint of imagelab: it does not describe its network and classes."
        )
    found = content["imagelab"]
    wrong = [name for name in TABLES if not isinstance(content.get(name, {}), Mapping)]
    wrong += [] if KEY in content or "state_dict" in content else ["state_dict"]
    wrong += [] if isinstance(found, Mapping) else ["imagelab"]
    if not wrong:
        wrong = [name for name, kind in OF_CARD.items() if not isinstance(found.get(name), kind)]
        wrong += [] if isinstance(found.get("labels", {}), Mapping) else ["labels"]
    if wrong:
        raise Problem(f"{where} is damaged or was changed: its {wrong[0]} is not what this project writes.")


def expect_predictions(content: dict[str, Any], where: object) -> None:
    """Raise a Problem if the network of a checkpoint predicts nothing.

    Args:
        content: Content of the checkpoint.
        where: Folder of the run or path of the checkpoint, as the user gave it.
    """
    if content.get("imagelab", {}).get("generates"):  # room: generators
        raise Problem(
            f"{where} was trained with task={task_of(content)} and makes images; "
            f"say imagelab generate run={where}"
        )
    if not predicts(content):
        raise Problem(
            f"{where} was trained with task={task_of(content)} and has no classes; train a classifier on its "
            f"features: imagelab train model.weights={where} finetune=linear_probe"
        )
