"""Picture what layers make of a few images, before and after training: look for odd artefacts.

Source: Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901, section 4.1: artefacts of a stride of 4 in the
first layer are seen in the maps of the second.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor, nn
from torch.nn import functional

from imagelab.data.ranks import first_of_each
from imagelab.logger.pictures import legible, log_pictures, save
from imagelab.problem import Problem
from imagelab.training.preserve import preserve_state

LEAST = 48  # pixels: side of a map in the picture


class FeatureMaps(Callback):
    """Save images/feature_maps_init.png and feature_maps_end.png.

    A row has an image of val, and then the maps of each layer that differ most from place to place, from
    black (the smallest value of that map) to white.

    Args:
        images: Positions of images of the val split; or a number: as many, each class in proportion.
        layers: Largest number of convolutional layers: the first, the last, and others evenly between.
        maps: Largest number of maps per layer.
        folder: Folder of the run.
    """

    watches_layers = True
    needs_images = True

    def __init__(self, *, images: int | list[int], layers: int, maps: int, folder: Path) -> None:
        self.images, self.layers, self.maps, self.folder = images, layers, maps, folder
        self.pixels, self.shown = torch.empty(0), torch.empty(0)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        places = self._places(data)
        batch = data.plain("val", places)
        self.pixels = data.seen(move_data_to_device(batch, pl_module.device))
        self.shown = data.preprocess.denormalise(self.pixels)
        if trainer.global_step == 0:
            self._show(trainer, pl_module, "init")

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        self._show(trainer, pl_module, "end")

    def _places(self, data: Any) -> np.ndarray:
        val = data.named["val"]
        if isinstance(self.images, int):
            return first_of_each(val.labels, val.contents, self.images)
        if beyond := [place for place in self.images if not 0 <= place < len(val.labels)]:
            raise Problem(
                f"trick.feature_maps.images: val has the images 0 to {len(val.labels) - 1}, got {beyond[0]}"
            )
        return np.array(self.images, np.int64)

    def _show(self, trainer: Trainer, module: Any, when: str) -> None:
        if not trainer.is_global_zero:
            return
        precision = trainer.precision_plugin
        with torch.no_grad(), preserve_state(module), precision.forward_context():
            module.eval()
            found = maps_of(module.net, precision.convert_input(self.pixels), self.layers)
        rows = rows_of(self.shown, list(found.values()), self.maps)
        key = f"images/feature_maps_{when}"
        save(self.folder / f"{key}.png", np.concatenate(list(rows)))
        words = [f"{place}: {', '.join(found)}" for place in range(len(rows))]
        log_pictures(trainer.loggers, key, rows, words, step=trainer.global_step)


def maps_of(net: nn.Module, images: Tensor, most: int) -> dict[str, Tensor]:
    """The outputs (N, C, h, w) of up to `most` convolutions by name, for images (N, C, H, W)."""
    names = [name for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d)]
    if not names:
        raise Problem("trick.feature_maps: the network has no convolutions, so no feature maps; leave it out")
    places = np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)
    chosen = [names[place] for place in places]
    found: dict[str, Tensor] = {}

    def keep(name: str, output: Any) -> None:
        found[name] = output.float()

    hooks = [
        net.get_submodule(name).register_forward_hook(lambda _, __, output, name=name: keep(name, output))
        for name in dict.fromkeys(chosen)
    ]
    try:
        net(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def rows_of(shown: Tensor, layers: list[Tensor], most: int) -> np.ndarray:
    """One picture per image, (N, side, width, 3) uint8: the image, then up to `most` maps of each layer.

    Args:
        shown: Images, (N, C, H, W) uint8.
        layers: Outputs of layers, each (N, C, h, w).
        most: Number of maps per layer: those with the largest variance between places, over all images.
    """
    side = max(LEAST, shown.shape[-1])
    parts = [_framed(torch.from_numpy(legible(shown)).permute(0, 3, 1, 2).float(), side)]
    for maps in layers:
        lively = maps.var(dim=(2, 3)).mean(dim=0).argsort(descending=True, stable=True)[:most].sort().values
        parts += [_framed(scaled(maps[:, k]).repeat(1, 3, 1, 1), side) for k in lively.tolist()]
    return torch.cat(parts, dim=-1).round().byte().permute(0, 2, 3, 1).numpy()


def scaled(maps: Tensor) -> Tensor:
    """Maps (N, h, w) -> (N, 1, h, w) in [0, 255], from the smallest to the largest value of all of them.

    >>> scaled(torch.tensor([[[1.0, 2.0]], [[3.0, 1.0]]])).flatten().tolist()
    [0.0, 127.5, 255.0, 0.0]
    """
    low, high = maps.min(), maps.max()
    return ((maps - low) / (high - low).clamp(min=1e-12) * 255)[:, None].cpu()


def _framed(images: Tensor, side: int) -> Tensor:
    """(N, 3, h, w) in [0, 255] -> (N, 3, side + 2, side + 2), single values as squares, with a white line."""
    grown = functional.interpolate(images, (side, side), mode="nearest")
    return functional.pad(grown, (1, 1, 1, 1), value=255.0)
