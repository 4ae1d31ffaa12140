"""Show thousands of images on a page: thumbnails in sheets beside it, loaded as they are looked at."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from imagelab.pages.wording import html, printable

COLUMNS = 10  # of a sheet, and as many rows
QUALITY = 80
MOST = 1000  # words to choose from
SHOWN = 80  # pixels of the longer side on the page
ANY = '<option value="-1">any</option>'
ORDERS = {
    "as listed": "",
    "class": "+class",
    "split": "+split",
    "largest": "-size",
    "smallest": "+size",
    "brightest": "-brightness",
    "darkest": "+brightness",
    "most findings": "-finding",
}


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What is known of N images.

    Args:
        names: Name of each image, its path below `root`.
        root: Folder of the files, relative to the page; empty: the images are in no files.
        words: "class" and "split" -> the words that `labels` and `splits` number.
        labels: (N,) int, the class of each image in words["class"].
        splits: (N,) int, the split of each image in words["split"].
        sizes: (N, 2) int, width and height.
        brightness: (N,) float in [0, 1].
        marks: What was found in some images -> their places.
    """

    names: Sequence[str]
    root: str
    words: Mapping[str, Sequence[str]]
    labels: np.ndarray
    splits: np.ndarray
    sizes: np.ndarray
    brightness: np.ndarray
    marks: Mapping[str, Sequence[int]]


def write_sheets(thumbnails: Iterator[np.ndarray], folder: Path) -> None:
    """Write sheets 0000.jpg, 0001.jpg, ... of 100 thumbnails each.

    Args:
        thumbnails: For each sheet, up to 100 thumbnails (B, S, S, 3) uint8.
        folder: New folder of the sheets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, images in enumerate(thumbnails):
        side = images.shape[1]
        sheet = np.zeros((COLUMNS**2, side, side, 3), dtype=np.uint8)
        sheet[: len(images)] = images
        whole = sheet.reshape(COLUMNS, COLUMNS, side, side, 3).swapaxes(1, 2).reshape(COLUMNS * side, -1, 3)
        data = simplejpeg.encode_jpeg(np.ascontiguousarray(whole), quality=QUALITY, colorsubsampling="420")
        (folder / f"{number:04}.jpg").write_bytes(data)


def sheets(listed: Listed, folder: str) -> str:
    """The HTML of all images, to search, filter and order; it needs the script sheets.js.

    Args:
        listed: The images, in the order of their sheets.
        folder: Name of the folder of sheets beside the page.
    """
    found = json.dumps(_data(listed, folder), ensure_ascii=True, separators=(",", ":"))
    data = found.replace("<", "\\u003c")
    orders = "".join(f'<option value="{key}">{name}</option>' for name, key in ORDERS.items())
    bar = (
        '<input type="search" placeholder="Search" aria-label="Search">'
        f"<label>order <select>{orders}</select></label>{_filters(listed)}<output></output>"
    )
    return (
        f'<div class="sheets"><div class="bar">{bar}</div><div class="box"><div class="grid"></div>'
        f'<div class="end"></div></div><script type="application/json">{data}</script></div>'
    )


def _data(listed: Listed, folder: str) -> dict[str, Any]:
    marks: dict[str, list[int]] = {}
    for number, places in enumerate(listed.marks.values()):
        for place in places:
            marks.setdefault(str(place), []).append(number)
    return {
        "folder": folder,
        "columns": COLUMNS,
        "shown": SHOWN,
        "root": listed.root,
        "names": [printable(name) for name in listed.names],
        "words": {kind: [printable(word) for word in words] for kind, words in listed.words.items()},
        "findings": [printable(word) for word in listed.marks],
        "labels": listed.labels.tolist(),
        "splits": listed.splits.tolist(),
        "sizes": listed.sizes.tolist(),
        "brightness": np.rint(1000 * listed.brightness.astype(float)).astype(int).tolist(),
        "marks": marks,
    }


def _filters(listed: Listed) -> str:
    kinds = {**listed.words, "finding": list(listed.marks)}
    boxes = []
    for kind, words in kinds.items():
        if 1 < len(words) <= MOST or (words and kind == "finding"):
            options = [f'<option value="{number}">{html(word)}</option>' for number, word in enumerate(words)]
            first = '<option value="">all</option>' + ANY * (kind == "finding")
            boxes.append(f'<label>{kind} <select name="{kind}">{first}{"".join(options)}</select></label>')
    return "".join(boxes)
