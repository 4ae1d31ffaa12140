"""A trained network with all it needs to be used: `imagelab.load(path)` gives one, from a run or a checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imagelab.data.decode import Unreadable, decode
from imagelab.data.preprocess import Preprocess

Reading = np.ndarray | Unreadable  # (K,) float probabilities, or why a file could not be read


class Predictor(nn.Module):
    """Images (B, C, H, W) uint8 -> probabilities (B, K).

    Args:
        net: The trained network.
        classes: The names of the K classes.
        preprocess: What happens to an image before the network.
    """

    def __init__(self, *, net: nn.Module, classes: list[str], preprocess: Preprocess) -> None:
        super().__init__()
        self.net, self.classes, self.preprocess = net.eval(), classes, preprocess

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) uint8, of any size -> probabilities (B, K) on the network's device."""
        device = next(self.net.parameters()).device
        return self.net(self.preprocess(images.to(device))).float().softmax(dim=1)

    def files(self, paths: Sequence[str | Path]) -> list[Reading]:
        """The probabilities of each picture file, in order; the error of those that cannot be read."""
        readings: list[Reading] = []
        pixels: list[np.ndarray] = []
        for path in paths:
            try:
                pixels.append(self.preprocess.centre(decode(path, least=self.preprocess.resize)))
                readings.append(np.empty(0))
            except Unreadable as error:
                readings.append(error)
        if not pixels:
            return readings
        found = iter(self(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)).cpu().numpy())
        return [reading if isinstance(reading, Unreadable) else next(found) for reading in readings]


def load(path: str | Path) -> Predictor:
    """A usable network from the folder of a run (its best weights) or from a checkpoint.

    Raises:
        Problem: There is none, it is damaged, or it is not one of this project's.
    """
    from imagelab.build import build_net
    from imagelab.checkpoint import BEST, read
    from imagelab.problem import Problem

    path = Path(path)
    checkpoint = read(path / "checkpoints" / BEST if path.is_dir() else path)
    if "imagelab" not in checkpoint:
        raise Problem(
            f"{path} is a checkpoint of another program: it does not say which network and classes it is of."
        )
    return from_checkpoint(checkpoint, build_net)


def from_checkpoint(checkpoint: dict[str, Any], build_net: Any) -> Predictor:
    """The network that the checkpoint describes, with its weights; nothing is downloaded."""
    card = checkpoint["imagelab"]
    preprocess = Preprocess.from_dict(card["preprocess"])
    # Pretrained or earlier weights would be overwritten at once.
    node = (
        card["model"] | {"weights": None} | ({"pretrained": False} if "pretrained" in card["model"] else {})
    )
    net = build_net(node, card["classes"], preprocess.channels, preprocess.size, seed=card["seed"])
    weights = {
        name.removeprefix("net."): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith("net.")
    }
    net.load_state_dict(weights)
    return Predictor(net=net, classes=card["classes"], preprocess=preprocess)
