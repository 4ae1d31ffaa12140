"""Compute features to predict labels from: those of a trained network, or of patches.

The network must not have learnt the labels in question: its predictions would repeat them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from imagelab.checkpoints.content import predicts
from imagelab.checkpoints.durable import read
from imagelab.config import schema
from imagelab.config.schema import Node
from imagelab.contracts import Photos
from imagelab.data.arrays import Arrays
from imagelab.data.image_data import ImageData
from imagelab.data.resize import covered
from imagelab.finetune.head import head_layers
from imagelab.inspection.command import FOLDER
from imagelab.inspection.patch_features import SIDE, patch_features
from imagelab.model.capture import capturing
from imagelab.model.head import last_layer
from imagelab.model.network import build_net
from imagelab.model.weights import checkpoint_of
from imagelab.problem import Problem
from imagelab.runs import files

BATCH = 128  # images
ASIDE = (
    "root",
    "manifest",
    "columns",
    "delimiter",
    "on_bad_image",
    "download",
)  # keys that do not distinguish data sets


def features_of(cfg: Node, data: ImageData) -> tuple[np.ndarray, str]:
    """Features of the images of all splits, (N, F) float32, and a description of them.

    Args:
        cfg: Config of the run; its network computes the features if it has trained weights.
        data: Data module that holds the images.

    Raises:
        Problem: The weights have learnt these labels.
    """
    model = cfg["model"]
    if model["weights"] is not None:
        refuse_seen(cfg, data.classes)
        return network_features(cfg, data), f"features of model.weights={model['weights']}"
    if model.get("pretrained"):
        return network_features(cfg, data), f"features of the pretrained {model.get('name', 'network')}"
    images = torch.cat([_small(split) for split in data.splits.values()])
    return patch_features(images, seed=cfg["seed"]), "likeness to image patches, without a network"


def refuse_seen(cfg: Node, classes: list[str]) -> None:
    """Raise a Problem if the weights to start from have learnt these labels.

    Args:
        cfg: Config of the run.
        classes: Class names, to compare with those of a checkpoint outside its run's folder.
    """
    checkpoint = checkpoint_of(Path(cfg["model"]["weights"]).expanduser())
    content = read(checkpoint)
    folder = checkpoint.parent.parent
    if not predicts(content):  # trained without labels
        return
    if (folder / files.CONFIG).is_file():
        seen = _overlap(files.read_config(folder)["data"], cfg["data"])
    else:
        seen = content.get("imagelab", {}).get("classes") == classes
    if seen:
        raise Problem(
            f"labels: model.weights={cfg['model']['weights']} has learnt the labels of these images, so its "
            "predictions would repeat them, wrong ones too; leave model.weights out, or use weights trained "
            "on other images or without labels"
            " (task=simclr)"  # room: task/simclr
        )


@torch.no_grad()
def network_features(cfg: Node, data: ImageData) -> np.ndarray:
    """The input of the network's head for all images, not augmented, (N, F) float32."""
    more = {"seed": cfg["seed"], "sample": data.sample, "signals": data.preprocess.signals}
    net = build_net(cfg["model"], data.classes, data.in_channels, data.size, **more)
    layer = [*head_layers(net, data.sample(2)), last_layer(net)[0]][0]
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    net = net.to(device or "cpu")
    made = []
    with capturing(net, layer) as seen:
        for split, count in data.counts.items():
            for start in range(0, count, BATCH):
                index = np.arange(start, min(start + BATCH, count))
                batch = data.plain(split, index)
                net(data.seen(batch._replace(images=batch.images.to(device or "cpu"))))
                made.append(seen.pop().flatten(1).float().cpu())
    return torch.cat(made).numpy()


def _small(images: Any) -> torch.Tensor:
    """The images as (N, C, H, W) uint8, photos shrunk."""
    if isinstance(images, Arrays):
        return images.images
    assert isinstance(images, Photos)
    shown = [covered(images.photo(place, 2 * SIDE), SIDE, SIDE) for place in range(len(images))]
    return torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2)


def _overlap(one: Node, other: Node) -> bool:
    """Whether two data sets may share images: folders do if one contains the other."""
    said = [
        {k: v for k, v in schema.split("data", node)[0].items() if k not in ASIDE} for node in (one, other)
    ]
    if one["_target_"] != FOLDER:
        return said[0] == said[1]
    roots = [Path(node["root"]).expanduser().resolve() for node in (one, other) if node["_target_"] == FOLDER]
    return len(roots) == 2 and (roots[0].is_relative_to(roots[1]) or roots[1].is_relative_to(roots[0]))
