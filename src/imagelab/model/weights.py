"""Start from the weights of another run."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from imagelab.checkpoints.content import module_state, predicts, task_of
from imagelab.checkpoints.durable import BEST, read
from imagelab.checkpoints.hub import local, weights_in
from imagelab.checkpoints.safetensors import ENDING, read_tensors
from imagelab.data.signals import labels_of
from imagelab.metrics.table import CLASSES
from imagelab.model.head import last_layer
from imagelab.model.signals import leave_signals
from imagelab.model.stem import adapt_kernels
from imagelab.problem import Problem, nearest, some_of

NAMED = 3  # names in a sentence: enough to see what is different
log = logging.getLogger(__name__)


def load_weights(net: nn.Module, path: str | Path, classes: list[str] | None = None) -> list[str]:
    """Copy the weights of a run into a network, except those of a head for other classes.

    Args:
        net: Network, changed in place.
        path: Checkpoint of a run, or the run's folder, which stands for its best checkpoint; a .safetensors
            file; `hf:USER/NAME` on the Hugging Face hub, such as a network of timm; or
            `wandb:ENTITY/PROJECT/NAME`, an artifact of W&B.
        classes: Names of the network's logits; None: only their number is compared.

    Returns:
        Names of the weights that were not copied.

    Raises:
        Problem: There is no such checkpoint, it is damaged, or it belongs to another network.
    """
    content = content_of(file := checkpoint_of(weights_in(local(path))))
    why, columns = _another_head(content, classes), content.get("imagelab", {}).get("preprocess", {})
    signals = labels_of(columns.get("signals", []))
    return copy_weights(net, net_weights(content, file), path, why=why, signals=signals)


def copy_weights(
    net: nn.Module, saved: dict[str, Tensor], path: object, why: str = "", signals: Sequence[str] = ()
) -> list[str]:
    """Copy weights by name into a network, except those of a head for another number of classes.

    Args:
        net: Network, changed in place.
        saved: Weights by name, changed in place.
        path: Where they come from, for sentences.
        why: Why its last layer keeps its own weights; empty: it does not.
        signals: Names of the signals beside the images that they are for.

    Returns:
        Names of the weights that were not copied.

    Raises:
        Problem: They belong to another network.
    """
    own = comparable(net.state_dict())
    fit_channels(net, saved, own, path)
    leave_signals(net, saved, own, [*signals], path)
    anew = _ends(net, saved, own) if why else []
    misfits = [name for name in own if name in saved and own[name].shape != saved[name].shape]
    rows = {_rows(saved[name], own[name]) for name in misfits}
    if own.keys() != saved.keys() or len(rows) > 1 or None in rows:
        raise Problem(
            f"model.weights={path} does not fit this {type(net).__name__}: of its weights, "
            f"{differences(saved, own, misfits)}. Set the model.* keys as in that run."
        )
    net.load_state_dict({name: saved[name] for name in saved if name not in misfits}, strict=False)
    if anew:
        log.warning(f"model.weights={path}: {', '.join(anew)} start from scratch; {why}.")
    for there, here in filter(None, rows):
        log.warning(
            f"model.weights={path}: {', '.join(misfits)} start from scratch for {here} classes; "
            f"the checkpoint has {there}."
        )
    return misfits + anew


def fit_channels(net: nn.Module, saved: dict[str, Tensor], own: dict[str, Tensor], path: object) -> None:
    """Adapt the kernels of the first convolution to images with other channels: grey to colour, or back."""
    layers = [f"{name}.weight" for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d)]
    name = layers[0] if layers else ""
    if name not in saved or name not in own:
        return
    (filters, there, *sides), (wanted, here, *wanted_sides) = saved[name].shape, own[name].shape
    if there != here and (filters, sides) == (wanted, wanted_sides):
        saved[name] = adapt_kernels(saved[name], here)
        log.warning(
            f"model.weights={path}: {name} is adapted to images of {here} channels; that run had {there}."
        )


def checkpoint_of(path: Path) -> Path:
    """The checkpoint at a path: the file itself, or the best one in a run's folder.

    Raises:
        Problem: There is none.
    """
    file = path / "checkpoints" / BEST if path.is_dir() else path
    if file.is_file():
        return file
    if path.is_dir():
        raise Problem(
            f"model.weights={path}: there is no checkpoints/{BEST} in that folder; give the folder of a run."
        )
    missing = next(part for part in (path, *path.parents) if part.parent.is_dir())
    beside = [str(entry) for entry in missing.parent.iterdir() if entry.is_dir() or entry.suffix == ".ckpt"]
    raise Problem(f"model.weights={path}: there is no {missing}{nearest(str(missing), beside)}")


def content_of(file: Path) -> dict[str, Any]:
    """The content of a checkpoint, or of a .safetensors file in the form of one.

    Raises:
        Problem: It is damaged.
    """
    if file.suffix != ENDING:
        return read(file)
    card, state = read_tensors(file)
    return ({"imagelab": card} if card else {}) | {"state_dict": {f"net.{k}": v for k, v in state.items()}}


def net_weights(content: Mapping[str, Any], file: Path) -> dict[str, Tensor]:
    """The network's weights in a checkpoint by name, raw or averaged, whichever did better in validation.

    Raises:
        Problem: The file is not a checkpoint of a run.
    """
    if "state_dict" not in content:
        raise Problem(f"model.weights={file} is not a checkpoint of a run: it has no state_dict.")
    state: Mapping[str, Tensor] = module_state(dict(content))
    return comparable(
        {name.removeprefix("net."): tensor for name, tensor in state.items() if name.startswith("net.")}
    )


def _another_head(content: dict[str, Any], classes: list[str] | None) -> str:
    """Why a checkpoint's head cannot be used, even if its shape fits; empty if it can."""
    if predicts(content) != CLASSES:
        return f"that run was trained with task={task_of(content)}"
    known = content.get("imagelab", {}).get("classes", classes)
    if classes is None or known == classes or len(known) != len(classes):  # the shape tells of their number
        return ""
    return f"that run has other classes ({', '.join(known[:NAMED])}, not {', '.join(classes[:NAMED])})"


def _ends(net: nn.Module, saved: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    """Names of the weights in the network's last layer; its weights are removed from both dictionaries."""
    prefix = f"{last_layer(net)[0]}."
    names = [name for name in own if name.startswith(prefix)]
    for state in (saved, own):
        for name in [name for name in state if name.startswith(prefix)]:
            del state[name]
    return names


def comparable(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state without the number of batches, which a frozen BatchNorm does not count and nothing needs."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def _rows(there: Tensor, here: Tensor) -> tuple[int, int] | None:
    """The first dimension of both, if their shapes differ only in it, as those of two heads do."""
    alike = there.ndim > 0 and here.ndim > 0 and there.shape[1:] == here.shape[1:]
    return (there.shape[0], here.shape[0]) if alike else None


def differences(saved: Mapping[str, Tensor], own: Mapping[str, Tensor], misfits: list[str]) -> str:
    """In words: how saved weights differ from a network's own, of which `misfits` have other shapes."""
    shapes = [f"{name}: {tuple(saved[name].shape)} there, {tuple(own[name].shape)} here" for name in misfits]
    parts = [
        _some("differ in shape", shapes),
        _some("are missing there", [name for name in own if name not in saved]),
        _some("are unknown here", [name for name in saved if name not in own]),
    ]
    return "; ".join(part for part in parts if part)


def _some(what: str, names: list[str]) -> str:
    return f"{len(names)} {what} ({some_of(names, NAMED)})" if names else ""
