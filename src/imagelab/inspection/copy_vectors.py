# room: model/efficientnet_lite0
"""Compute vectors that are alike for copies: an early map of a network trained on ImageNet, in 4 x 4 places.

Early layers say what lies where; the last ones, which say what kind of thing it is, tell copies worse.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from imagelab.model.efficientnet_lite0 import efficientnet_lite0, efficientnet_lite0_preprocess
from imagelab.randomness import stream

SIDE = 64  # pixels that thumbnails are enlarged to
BLOCKS = 3  # groups of blocks of the network that are run
PLACES = 4  # along each side of the map that is kept
WIDTH = 256  # main components that are compared
SAMPLE = 3000  # images that the components are fitted to
BATCH = 256


class Vectors:
    """Turns thumbnails into vectors; the first call with `fit` sets mean, scale and components."""

    def __init__(self) -> None:
        net = efficientnet_lite0(pretrained=True, num_classes=2, in_channels=3, size=SIDE)
        early = [net.get_submodule(name) for name in ("conv_stem", "bn1")]
        blocks = [net.get_submodule(f"blocks.{k}") for k in range(BLOCKS)]
        self.net = nn.Sequential(*early, *blocks).eval().to(memory_format=torch.channels_last)
        known = efficientnet_lite0_preprocess()
        self.mean, self.std = (255 * torch.tensor(part).view(1, 3, 1, 1) for part in (known.mean, known.std))

    @torch.inference_mode()
    def maps(self, thumbnails: np.ndarray) -> np.ndarray:
        """Thumbnails (B, h, w, 3) uint8 -> (B, 640) float16."""
        images = torch.from_numpy(np.ascontiguousarray(thumbnails)).permute(0, 3, 1, 2).float()
        images = functional.interpolate(images, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        found: Tensor = self.net((images - self.mean) / self.std)
        return functional.adaptive_avg_pool2d(found, PLACES).flatten(1).half().numpy()


def copy_vectors(thumbnails: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (N, 256) float32 of length 1, of the images and of their mirror images.

    Args:
        thumbnails: Batches of thumbnails, (B, h, w, 3) uint8.
    """
    vectors = Vectors()
    plain = np.concatenate([vectors.maps(some) for some in thumbnails])
    mirrored = np.concatenate([vectors.maps(some[:, :, ::-1]) for some in thumbnails])
    count = min(SAMPLE, len(plain))
    sample = plain[stream(0, "copies").choice(len(plain), count, replace=False)].astype(np.float32)
    mean, scale = sample.mean(axis=0), sample.std(axis=0) + 1e-6
    main = _components((sample - mean) / scale)
    return tuple(_projected(part, mean, scale, main) for part in (plain, mirrored))  # type: ignore[return-value]


def _components(sample: np.ndarray) -> np.ndarray:
    """The directions of largest variance, (F, 256); all if the sample is too small to tell."""
    if len(sample) < 2 * WIDTH:
        return np.eye(sample.shape[1], dtype=np.float32)
    return np.linalg.eigh(sample.T @ sample)[1][:, -WIDTH:]


def _projected(maps: np.ndarray, mean: np.ndarray, scale: np.ndarray, main: np.ndarray) -> np.ndarray:
    found = [
        ((maps[k : k + BATCH].astype(np.float32) - mean) / scale) @ main for k in range(0, len(maps), BATCH)
    ]
    joined = np.concatenate(found)
    return joined / np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-6)
