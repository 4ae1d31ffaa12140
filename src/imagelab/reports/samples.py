# room: generators
"""Show what a generator made of the same noise over the epochs."""

from pathlib import Path

import numpy as np
from PIL import Image

from imagelab.pages.page import Section
from imagelab.pages.picture import Picture, gallery

ABOUT = "The same noise after some epochs; in each picture a row is a class. `imagelab generate` makes more."
SIDE = 256  # pixels of a picture


def sample_section(folder: Path) -> list[Section]:
    """The pictures of generated images that a run has kept; none if there are none."""
    files = sorted((folder / "images" / "samples").glob("epoch_*.png"))
    shown = [Picture(_pixels(file), f"epoch {int(file.stem.partition('_')[2])}") for file in files]
    return [Section("Samples", ABOUT, gallery(shown, side=SIDE))] if shown else []


def _pixels(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))
