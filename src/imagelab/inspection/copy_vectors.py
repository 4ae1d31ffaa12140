# room: model/efficientnet_lite0
"""Compute vectors that are alike for copies: an early map of a network trained on ImageNet, in 4 x 4 places.

Early layers say what lies where; the last ones, which say what kind of thing it is, tell copies worse.
"""

from collections.abc import Sequence

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
MIRRORED = 1000  # of these, images whose mirror images the network sees, too
BATCH = 256


class CopyVectors:
    """Vectors (N, 256) float32 of length 1 of images, and estimates of those of their mirror images.

    The network runs once per image. Of a sample, it also sees the mirror images: a linear map from the
    mirrored map of an image to the map of its mirror image gives all others. On CIFAR-10, the cosine of an
    estimate and the exact vector is 0.95, near enough to find candidates.

    Args:
        thumbnails: Batches of thumbnails, (B, h, w, 3) uint8.
    """

    def __init__(self, thumbnails: Sequence[np.ndarray]) -> None:
        net = efficientnet_lite0(pretrained=True, num_classes=2, in_channels=3, size=SIDE)
        early = [net.get_submodule(name) for name in ("conv_stem", "bn1")]
        blocks = [net.get_submodule(f"blocks.{k}") for k in range(BLOCKS)]
        self.net = nn.Sequential(*early, *blocks).eval().to(memory_format=torch.channels_last)
        known = efficientnet_lite0_preprocess()
        self.shift, self.spread = (
            255 * torch.tensor(part).view(1, 3, 1, 1) for part in (known.mean, known.std)
        )
        maps = np.concatenate([self._maps(some) for some in thumbnails])
        drawn = stream(0, "copies").choice(len(maps), min(SAMPLE, len(maps)), replace=False)
        sample = maps[drawn].astype(np.float32)
        self.mean, self.scale = sample.mean(axis=0), sample.std(axis=0) + 1e-6
        self.main = _components((sample - self.mean) / self.scale)
        images = np.concatenate(thumbnails)[drawn[:MIRRORED]]
        turned = np.concatenate(
            [self._maps(images[k : k + BATCH, :, ::-1]) for k in range(0, len(images), BATCH)]
        )
        mirror = _fitted(_places(maps[drawn[:MIRRORED]]), turned)
        self.plain = self._projected(maps)
        self.mirrored = np.concatenate(
            [self._projected(_turned(maps[k : k + BATCH], mirror)) for k in range(0, len(maps), BATCH)]
        )

    def of(self, thumbnails: np.ndarray) -> np.ndarray:
        """The vectors of other thumbnails, (B, h, w, 3) uint8."""
        return self._projected(self._maps(thumbnails))

    def cosines(self, places: np.ndarray, mirrored: bool) -> np.ndarray:
        """The cosines of pairs (K, 2), with the second one mirrored or not."""
        theirs = self.mirrored if mirrored else self.plain
        return (self.plain[places[:, 0]] * theirs[places[:, 1]]).sum(axis=1)

    @torch.inference_mode()
    def _maps(self, thumbnails: np.ndarray) -> np.ndarray:
        """Thumbnails (B, h, w, 3) uint8 -> (B, 640) float16."""
        images = torch.from_numpy(np.ascontiguousarray(thumbnails)).permute(0, 3, 1, 2).float()
        images = functional.interpolate(images, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        found: Tensor = self.net((images - self.shift) / self.spread)
        return functional.adaptive_avg_pool2d(found, PLACES).flatten(1).half().numpy()

    def _projected(self, maps: np.ndarray) -> np.ndarray:
        joined = np.concatenate(
            [
                ((maps[k : k + BATCH].astype(np.float32) - self.mean) / self.scale) @ self.main
                for k in range(0, len(maps), BATCH)
            ]
        )
        return joined / np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-6)


def _places(maps: np.ndarray) -> np.ndarray:
    """Maps (B, C * PLACES**2), mirrored: the channels of each place and 1, (B, PLACES, PLACES, C + 1)."""
    turned = maps.reshape(len(maps), -1, PLACES, PLACES)[..., ::-1].transpose(0, 2, 3, 1)
    return np.concatenate([turned, np.ones_like(turned[..., :1])], axis=3).astype(np.float32)


def _fitted(given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The linear map (C + 1, C) of the channels of a place, the same for all places, by least squares."""
    theirs = wanted.reshape(len(wanted), -1, PLACES**2).transpose(0, 2, 1)
    flat = given.reshape(-1, given.shape[-1])
    return np.linalg.lstsq(flat, theirs.reshape(len(flat), -1).astype(np.float32), rcond=None)[0]


def _turned(maps: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """An estimate of the maps of the mirror images, (B, C * PLACES**2)."""
    return (_places(maps) @ mirror).transpose(0, 3, 1, 2).reshape(len(maps), -1)


def _components(sample: np.ndarray) -> np.ndarray:
    """The directions of largest variance, (F, 256); all if the sample is too small to tell."""
    if len(sample) < 2 * WIDTH:
        return np.eye(sample.shape[1], dtype=np.float32)
    return np.linalg.eigh(sample.T @ sample)[1][:, -WIDTH:]
