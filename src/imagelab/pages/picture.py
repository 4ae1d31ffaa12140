"""Embed small pictures in the text of a page, in a quality that their number allows.

Pictures are WebP: its header is 600 bytes shorter than that of JPEG, as much as a small picture's content.

Source: https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagelab.pages.wording import html

if TYPE_CHECKING:
    import numpy as np

SIDE = 96  # pixels
BUDGET = 450_000  # bytes for all pictures of a gallery or table: 1,000 of them leave a page below 1 MB
SAMPLE = 32  # pictures that are tried to choose how small all have to be
LADDER = (
    *((1.0, 80), (1.0, 60), (1.0, 40), (0.83, 40), (0.67, 50), (0.67, 25)),
    *((0.5, 40), (0.5, 30), (0.5, 20), (0.4, 20), (0.33, 20), (0.33, 10)),
)  # share of the side, and quality: the first that fits into the budget


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to show.

    Args:
        pixels: (H, W, 3) or (H, W), uint8; large ones are shrunk for the page.
        caption: Caption, such as the name of the file.
    """

    pixels: np.ndarray
    caption: str


def thumbnail(picture: Picture, side: int = SIDE) -> str:
    """One picture as HTML.

    Args:
        picture: Picture to show; a smaller one is enlarged.
        side: Side of the square that it fits into, in pixels.
    """
    return figures([picture], side=side)[0]


def gallery(pictures: Sequence[Picture], *, side: int = SIDE, budget: int = BUDGET) -> str:
    """Pictures as HTML, in rows that fill the window.

    Args:
        pictures: Pictures to show.
        side: Side of the square that each fits into, in pixels.
        budget: Bytes for all pictures; the more there are, the coarser they get.
    """
    return f'<div class="gallery">{"".join(figures(pictures, side=side, budget=budget))}</div>'


def figures(pictures: Sequence[Picture], *, side: int = SIDE, budget: int = BUDGET) -> list[str]:
    """Each picture as HTML, all with the same quality."""
    return [
        _figure(picture, uri, side)
        for picture, uri in zip(pictures, encoded(pictures, side, budget), strict=True)
    ]


def encoded(pictures: Sequence[Picture], side: int, budget: int) -> list[str]:
    """Each picture as a data URI, at most `side` pixels wide and high, all with the same quality."""
    sample = pictures[:: max(1, len(pictures) // SAMPLE)]
    uris: list[str] = []
    for share, quality in LADDER:
        last = (share, quality) == LADDER[-1]
        tried = sum(len(_uri(one, share * side, quality)) for one in sample)
        if last or tried * len(pictures) <= budget * len(sample):
            uris = [_uri(one, share * side, quality) for one in pictures]
            if sum(map(len, uris)) <= budget:
                break
    return uris


def _uri(picture: Picture, side: float, quality: int) -> str:
    from PIL import Image

    image = Image.fromarray(picture.pixels).convert("RGB")
    image.thumbnail((round(side), round(side)), Image.Resampling.BOX, reducing_gap=None)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, method=2)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _figure(picture: Picture, uri: str, side: int) -> str:
    height, width = picture.pixels.shape[:2]
    longer = max(height, width)
    size = f'width="{max(1, round(side * width / longer))}" height="{max(1, round(side * height / longer))}"'
    few = ' class="few"' if longer < side else ""
    words = html(picture.caption)
    caption = f"<figcaption>{words}</figcaption>" if words else ""
    image = f'<img{few} src="{uri}" alt="" {size} loading="lazy">'
    return f"<figure>{image}{caption}</figure>"
