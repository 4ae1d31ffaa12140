"""Build the sections of the `check` page beside its findings: inputs, filters, layers, curves."""

import numpy as np
import torch
from torch import Tensor

from imagelab.checks.layers import first_weight
from imagelab.checks.subject import Subject
from imagelab.pages.line_plot import line_plot
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture, gallery

SHOWN = 32  # images, and filters at most 64
FILTERS = 64
MEASURES = {
    "std": "deviation of the outputs",
    "gradient": "gradient / weights",
    "update": "first step / weights",
}


def sections(subject: Subject) -> list[Section]:
    """The sections of the page that the checks have left results for."""
    return [*_inputs(subject), *_filters(subject), *_layers(subject), *_curves(subject)]


def _inputs(subject: Subject) -> list[Section]:
    batch = subject.training(SHOWN)
    words = subject.data.task.captions(batch.targets, classes=subject.data.classes)
    pixels = _pixels(subject, batch.images)
    pictures = [Picture(one, word) for one, word in zip(pixels, words, strict=True)]
    about = (
        "The first training images of an epoch exactly as the network sees them: augmented and mixed, with "
    )
    about += "their labels; only the normalisation is undone."
    return [Section("What enters the network", about, gallery(pictures, side=96))]


def _filters(subject: Subject) -> list[Section]:
    weight = first_weight(subject)
    if weight is None or not weight.isfinite().all():
        return []
    about = "The weights of the first convolution before training. Untrained filters are noise; trained ones "
    about += "show edges and colours. Noise that stays means a bad rate or too little training."
    pictures = [Picture(one, str(place)) for place, one in enumerate(filters(weight))]
    return [Section("First-layer filters", about, gallery(pictures, side=56))]


def filters(weight: Tensor) -> list[np.ndarray]:
    """Filters (F, C, H, W) as pictures (H, W, 3) uint8, each from its smallest to its largest weight.

    >>> filters(torch.tensor([[[[0.0, 1.0]]]]))[0][:, :, 0].tolist()
    [[0, 255]]
    """
    some = (
        weight[:FILTERS]
        if weight.shape[1] == 3
        else weight[:FILTERS].mean(dim=1, keepdim=True).repeat(1, 3, 1, 1)
    )
    low = some.amin(dim=(1, 2, 3), keepdim=True)
    high = some.amax(dim=(1, 2, 3), keepdim=True)
    scaled = (some - low) / (high - low).clamp(min=1e-12) * 255
    return list(scaled.round().to(torch.uint8).permute(0, 2, 3, 1).numpy())


def _layers(subject: Subject) -> list[Section]:
    stats = subject.pictures.get("layers", {})
    series = {}
    for key, words in MEASURES.items():
        points = [
            (place, values[key]) for place, values in enumerate(stats.values(), 1) if values.get(key, 0) > 0
        ]
        if points:
            series[words] = ([x for x, _ in points], [y for _, y in points])
    if not series:
        return []
    about = (
        "On real images before training, from the first layer with weights to the last: the outputs should "
    )
    about += (
        "neither vanish nor explode, and each layer's gradient and first step should be like the others'."
    )
    plot = line_plot(series, title="Layer by layer at init", x_label="layer", y_label="size", log_y=True)
    return [Section("Layers", about, plot)]


def _curves(subject: Subject) -> list[Section]:
    losses = subject.pictures.get("overfit")
    if not losses or not np.isfinite(losses).any():
        return []
    about = "The loss on a few fixed images, without regularisation: it has to fall to about 0. "
    about += "If it stops above, there is a mistake, or the rate does not fit."
    series = {"loss": (list(range(1, len(losses) + 1)), [max(one, 1e-6) for one in losses])}
    plot = line_plot(series, title="Overfitting one batch", x_label="step", y_label="loss", log_y=True)
    return [Section("Overfitting one batch", about, plot)]


def _pixels(subject: Subject, images: Tensor) -> np.ndarray:
    pixels = subject.data.preprocess.denormalise(images).permute(0, 2, 3, 1).numpy()
    return pixels if pixels.shape[-1] == 3 else pixels[..., :1].repeat(3, axis=-1)
