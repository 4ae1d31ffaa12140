# room: generators
"""Show what a generator made of the same noise over the epochs."""

from pathlib import Path

import numpy as np
from PIL import Image

from imagelab.pages.page import Section
from imagelab.pages.picture import Picture, gallery

ABOUT = "The same noise after some epochs; in each picture a row is a class. `imagelab generate` makes more."
NEAREST = "On the right of each generated image the training image nearest to it, by pixels, of up to 5,000: "
NEAREST += "copies would show that the generator has memorised."
SIDE = 256  # pixels of a picture


def sample_section(folder: Path) -> list[Section]:
    """The pictures of generated images that a run has kept; none if there are none."""
    files = sorted((folder / "images" / "samples").glob("epoch_*.png"))
    shown = [Picture(_pixels(file), f"epoch {int(file.stem.partition('_')[2])}") for file in files]
    nearest = folder / "images" / "nearest.png"
    beside = [Picture(_pixels(nearest), "generated, and nearest")] if nearest.is_file() else []
    return [
        *([Section("Samples", ABOUT, gallery(shown, side=SIDE))] if shown else []),
        *([Section("Nearest training images", NEAREST, gallery(beside, side=2 * SIDE))] if beside else []),
    ]


def _pixels(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))
