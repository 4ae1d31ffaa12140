"""Draw pictures at places on a plane as static SVG; where they would overlap, dots."""

from collections.abc import Sequence

import numpy as np

from imagelab.pages.axes import COLOURS, drawing, legend, legend_width
from imagelab.pages.picture import BUDGET, Picture, encoded
from imagelab.pages.wording import html

WIDTH, HEIGHT = 1100, 800  # pixels
SIDE = 44  # pixels of a picture
DOT = 3.5  # pixels: radius


def picture_map(
    places: np.ndarray,
    pictures: Sequence[Picture],
    *,
    title: str,
    groups: Sequence[str],
    budget: int = BUDGET,
) -> str:
    """SVG with each picture at its place, or a dot where another picture is already there.

    Args:
        places: (N, 2) float, in any unit.
        pictures: N pictures; the mouse shows their captions.
        title: Title of the drawing.
        groups: Group of each picture, which sets the colour of its frame.
        budget: Bytes for all pictures.
    """
    names = list(dict.fromkeys(groups))
    right = WIDTH - legend_width(names)
    spots = _spots(places, right)
    large = apart(spots, SIDE)
    uris = iter(encoded([pictures[k] for k in large], SIDE, budget))
    colour = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}
    small = sorted(set(range(len(spots))) - set(large))
    dots = [_dot(spots[k], colour[groups[k]], pictures[k].caption) for k in small]
    shown = [_image(spots[k], next(uris), colour[groups[k]], pictures[k]) for k in large]
    return drawing(title, WIDTH, HEIGHT, [*dots, *shown, *legend(names, right)])


def apart(spots: np.ndarray, side: float) -> list[int]:
    """The first pictures of which no two are closer than `side` pixels in both directions.

    >>> apart(np.array([[0.0, 0.0], [10.0, 10.0], [50.0, 0.0]]), 44)
    [0, 2]
    """
    kept: list[int] = []
    for k, spot in enumerate(spots):
        if not kept or (np.abs(spots[kept] - spot).max(axis=1) >= side).all():
            kept.append(k)
    return kept


def _spots(places: np.ndarray, right: float) -> np.ndarray:
    """Places in pixels, pictures within the drawing."""
    low, high = places.min(axis=0), places.max(axis=0)
    share = (places - low) / np.maximum(high - low, 1e-12)
    return SIDE / 2 + share * (np.array([right, HEIGHT]) - SIDE)


def _dot(spot: np.ndarray, colour: str, caption: str) -> str:
    return (
        f'<circle cx="{spot[0]:.1f}" cy="{spot[1]:.1f}" r="{DOT}" fill="{colour}" fill-opacity=".7">'
        f"<title>{html(caption)}</title></circle>"
    )


def _image(spot: np.ndarray, uri: str, colour: str, picture: Picture) -> str:
    height, width = picture.pixels.shape[:2]
    scale = (SIDE - 4) / max(height, width)
    w, h = width * scale, height * scale
    place = f'x="{spot[0] - w / 2:.1f}" y="{spot[1] - h / 2:.1f}" width="{w:.1f}" height="{h:.1f}"'
    return (
        f'<g><title>{html(picture.caption)}</title><image href="{uri}" {place}/>'
        f'<rect {place} fill="none" stroke="{colour}" stroke-width="2"/></g>'
    )
