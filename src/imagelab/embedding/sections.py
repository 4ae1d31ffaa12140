"""Make the sections of the page: the map, the nearest pictures of each query."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imagelab.data.decode import Unreadable, decode
from imagelab.embedding.embedded import Embedded
from imagelab.embedding.layout import layout
from imagelab.embedding.neighbours import Nearest
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture, gallery
from imagelab.pages.picture_map import SIDE, picture_map
from imagelab.randomness import stream

LOOKED_UP = 20  # queries on the page
LARGE = 96  # pixels of a picture in a row of neighbours
WAYS = {
    "pca": "PCA, the two directions in which features vary most",
    "tsne": "t-SNE: neighbours stay neighbours, distances between groups mean little",
}


def map_section(embedded: Embedded, way: str, most: int, seed: int) -> Section:
    """The map of a sample of the pictures.

    Args:
        embedded: Features of at least 2 pictures.
        way: pca or tsne.
        most: Largest number of pictures.
        seed: Seed of the sample and of t-SNE.
    """
    shown = np.arange(len(embedded))
    if len(shown) > most:
        shown = np.sort(stream(seed, "map").choice(len(embedded), most, replace=False))
    places = layout(embedded.features[shown], way, seed)
    pictures = [picture_of(embedded.files[k], SIDE) for k in shown]
    groups = [str(embedded.folders[k]) for k in shown]
    about = (
        f"{len(shown):,} of {len(embedded):,} pictures by their features: {WAYS[way]}. Frames have "
        "the colour of the folder; pictures that would overlap are dots. Point at one to see its name."
    )
    return Section("Map", about, picture_map(places, pictures, title="Map", groups=groups))


def query_section(queries: Sequence[str], found: Nearest, embedded: Embedded) -> Section:
    """A row of pictures for each query: itself, then the nearest."""
    rows = []
    for query, places, likeness in zip(queries[:LOOKED_UP], found.places, found.similarity, strict=False):
        near = [
            picture_of(embedded.files[k], LARGE, f"{value:.3f} {Path(embedded.files[k]).name}")
            for k, value in zip(places.tolist(), likeness.tolist(), strict=True)
        ]
        rows.append(gallery([picture_of(query, LARGE, f"? {Path(query).name}"), *near], budget=60_000))
    about = "Each picture looked up (`?`), then the nearest ones with the cosine of their features."
    return Section("Search by example", about, "\n".join(rows))


def picture_of(file: str, side: int, caption: str | None = None) -> Picture:
    """The picture of a file, grey if it can no longer be read."""
    try:
        pixels = decode(file, least=side)
    except Unreadable:
        pixels = np.full((side, side, 3), 128, np.uint8)
    return Picture(pixels, file if caption is None else caption)
