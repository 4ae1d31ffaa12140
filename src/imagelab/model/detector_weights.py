# room: detection
"""Start a detector from another run: its backbone from any network, and the rest from another detector."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from imagelab.checkpoints.content import predicts
from imagelab.checkpoints.hub import local, weights_in
from imagelab.config import menu, schema
from imagelab.metrics.table import BOXES
from imagelab.model.detector import Detector
from imagelab.model.weights import (
    checkpoint_of,
    comparable,
    content_of,
    copy_weights,
    differences,
    fit_channels,
    net_weights,
)
from imagelab.problem import Problem

BELOW = "pyramid."
log = logging.getLogger(__name__)


def load_detector_weights(net: Detector, path: str | Path, classes: list[str] | None) -> None:
    """Copy the weights of a run: of its network into the backbone or, if it finds boxes, into all parts.

    Args:
        net: Detector, changed in place.
        path: See `load_weights`.
        classes: Names of the detector's classes; the heads of a detector for others start from scratch.

    Raises:
        Problem: There is no such checkpoint, it is damaged, or its network does not fit.
    """
    content = content_of(file := checkpoint_of(weights_in(local(path))))
    saved = net_weights(content, file)
    card = content.get("imagelab", {})
    if predicts(content) != BOXES:
        _fill_backbone(net, saved, path, card.get("model", {}))
    elif classes is None or card.get("classes", classes) == classes:
        copy_weights(net, saved, path)
    else:
        below = {name.removeprefix(BELOW): value for name, value in saved.items() if name.startswith(BELOW)}
        copy_weights(net.pyramid, below, path)
        log.warning(f"model.weights={path}: the heads start from scratch; that run has other classes.")


def _fill_backbone(net: Detector, saved: dict[str, Tensor], path: object, model: Mapping[str, Any]) -> None:
    body = net.get_submodule(net.trunk)
    own = comparable(body.state_dict())
    there = {name: other for name in own if (other := _name_there(name, saved))}
    taken = {name: saved[other] for name, other in there.items()}
    fit_channels(body, taken, own, path)
    layers = {other.rpartition(".")[0] for other in there.values()}
    rest = {name: saved[name] for name in saved.keys() - {*there.values()}}
    taken |= {name: value for name, value in rest.items() if name.rpartition(".")[0] in layers}
    misfits = [name for name in own if name in taken and own[name].shape != taken[name].shape]
    if misfits or own.keys() != taken.keys():
        raise Problem(
            f"model.weights={path} does not fit this backbone: of its weights, "
            f"{differences(taken, own, misfits)}. {_remedy(model)}"
        )
    body.load_state_dict(taken, strict=False)


def _name_there(name: str, saved: Mapping[str, Tensor]) -> str | None:
    """The name that a weight of the backbone has in the classifier, which libraries wrap or flatten."""
    first, _, rest = name.partition(".")
    ways = (first, first.replace("_", "."), ".".join(first.rsplit("_", 1)))
    return next((one for one in (*(f"{way}.{rest}" for way in ways), rest) if one in saved), None)


def _remedy(model: Mapping[str, Any]) -> str:
    """The words that build the network of a run below a detector."""
    if not model:
        return "Set model.backbone to the network of that file."
    own, shared = schema.split("model", dict(model))
    target = own.pop("_target_")
    own.pop("pretrained", None)
    chosen = [one for one in menu.choices("model") if menu.value("model", one, "_target_") == target]
    words = [f"model.backbone={own.pop('name', chosen[0] if chosen else target)}"]
    if own:
        args = ", ".join(f"{key}: {json.dumps(value)}" for key, value in own.items())
        words.append(f"'model.backbone_args={{{args}}}'")
    words += [f"model.{key}={shared[key]}" for key in ("norm",) if shared.get(key, "default") != "default"]
    return f"As in that run, set {' '.join(words)}."
