"""Show which places of an image speak for an output of a network.

With convolutions by Grad-CAM; with attention by occlusion: how much the output falls when a place is hidden.

Source: Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391; Zeiler & Fergus 2014,
https://arxiv.org/abs/1311.2901, section 4.2; both by the library captum.
"""

from importlib.util import find_spec

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imagelab.explaining.last_map import last_map
from imagelab.predictor import Predictor
from imagelab.problem import Problem

STRENGTH = 0.5  # share of the heat map in a blended picture
WINDOW, STRIDE = 1 / 4, 1 / 8  # of occlusion, as shares of the side: 49 positions
AT_ONCE = 7  # positions in one pass
TINY = 1e-8


def heat_maps(
    predictor: Predictor, images: Tensor, outputs: Tensor | None = None, signals: Tensor | None = None
) -> np.ndarray:
    """Heat maps (B, H, W) float32 from 0 to 1, of the size of the network's input; each has its own scale.

    Args:
        predictor: Trained network.
        images: Images as the reader returns them, (B, C, H, W) uint8.
        outputs: Output of the network to explain for each image, (B,) int64; None: its largest one.
        signals: What the network sees besides the images, (B, S) float32; None: nothing.

    Raises:
        Problem: captum is not installed.
    """
    if find_spec("captum") is None:
        raise Problem("explain: needs captum, which is not installed: uv pip install 'imagelab[explain]'")
    inputs = predictor.preprocess(images.to(next(predictor.net.parameters()).device), signals)
    with torch.no_grad():
        asked = predictor.net(inputs).max(dim=1).indices if outputs is None else outputs.to(inputs.device)
    found = attributions(predictor.net, inputs, asked).detach().clamp_min(0)
    large = functional.interpolate(found, size=inputs.shape[2:], mode="bilinear", align_corners=False)
    return (large / large.amax(dim=(2, 3), keepdim=True).clamp_min(TINY))[:, 0].cpu().numpy()


def attributions(net: torch.nn.Module, inputs: Tensor, outputs: Tensor) -> Tensor:
    """Contribution of each place to an output, (B, 1, h, w), for preprocessed images (B, C, H, W)."""
    from captum.attr import LayerGradCam, Occlusion

    layer = last_map(net, inputs[:1])
    if layer is not None:
        with torch.enable_grad():
            found = LayerGradCam(net, layer).attribute(inputs.requires_grad_(), target=outputs)
        assert isinstance(found, Tensor)
        return found
    channels, side = inputs.shape[1], inputs.shape[3]
    window, stride = max(1, round(side * WINDOW)), max(1, round(side * STRIDE))
    shape, steps = (channels, window, window), (channels, stride, stride)
    hidden = Occlusion(net).attribute(
        inputs, shape, strides=steps, target=outputs, perturbations_per_eval=AT_ONCE
    )
    return hidden[:, :1]  # all channels are hidden together


def blended(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture under its heat map, (H, W, 3) uint8.

    Args:
        pixels: (H, W, 3) uint8.
        heat: (h, w) float from 0, blue, to 1, red; resized to the picture.
    """
    height, width = pixels.shape[:2]
    large = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap((255 * large.clip(0, 1)).astype(np.uint8), cv2.COLORMAP_TURBO)[:, :, ::-1]
    return (pixels * (1 - STRENGTH) + colours * STRENGTH).astype(np.uint8)
