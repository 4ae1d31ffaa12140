"""Examine one file: its pixels, why it cannot be read, or what is unusual about it.

Source: the first bytes of formats, https://en.wikipedia.org/wiki/List_of_file_signatures; JPEG's markers,
https://www.w3.org/Graphics/JPEG/itu-t81.pdf, table B.1.
"""

import os
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import simplejpeg
from PIL import ExifTags, Image

from imagelab.data.content import digest
from imagelab.data.decode import Unreadable, decode, read_file

END = b"\xff\xd9"  # end-of-image mark of a JPEG
TINY = 8  # pixels: a shorter side is unusual
LONG = 4.0  # a larger aspect ratio is unusual
ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}


@dataclass(frozen=True)
class Look:
    """The result of examining one file.

    Args:
        pixels: (H, W, 3) uint8, upright; None if it cannot be read.
        digest: Digest of its bytes.
        kind: Format by its first bytes: JPEG, PNG, ...
        fault: Why it cannot be read; empty if it can.
        odd: Unusual traits, a few words each.
    """

    pixels: np.ndarray | None
    digest: int
    kind: str
    fault: str
    odd: tuple[str, ...]


def look(path: str, max_pixels: int) -> Look:
    """Read a file, whatever it is; `max_pixels`: the largest picture to decode."""
    try:
        data = read_file(path)
    except OSError as error:
        return Look(None, 0, "", error.strerror or str(error), ())
    kind = kind_of(data)
    number = digest(data)
    odd = [] if not data or _suits(path, kind) else [_misnamed(path, kind)]
    try:
        pixels = decode(path, None, max_pixels)
    except Unreadable as error:
        return Look(None, number, kind, str(error).removeprefix(f"{path}: "), tuple(odd))
    odd += _odd_jpeg(data) if kind == "JPEG" else _odd_other(data)
    return Look(pixels, number, kind, "", (*odd, *_odd_shape(pixels)))


def kind_of(data: bytes) -> str:
    """The format of a file by its first bytes; empty if unknown.

    >>> kind_of(b"GIF89a...."), kind_of(b"<!DOCTYPE html>")
    ('GIF', 'HTML')
    """
    starts = {
        b"\xff\xd8\xff": "JPEG",
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"GIF8": "GIF",
        b"BM": "BMP",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"%PDF": "PDF",
        b"PK\x03\x04": "ZIP",
    }
    for start, kind in starts.items():
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return "HTML" if data[:200].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")) else ""


def _suits(path: str, kind: str) -> bool:
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122
    if kind in ENDINGS:
        return ending in ENDINGS[kind]
    return not kind and not any(ending in endings for endings in ENDINGS.values())


def _misnamed(path: str, kind: str) -> str:
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122
    return f"{kind or 'something else'} named {ending or 'without an ending'}"


def _odd_jpeg(data: bytes) -> list[str]:
    """Unusual traits of a JPEG, from its header alone, so no second decoder is needed."""
    found = []
    if not data.endswith(END) and data.find(END, _scan_start(data)) < 0:
        found.append("no end-of-image mark: it may be cut off")
    header = data[: _scan_start(data)]
    try:
        colours = simplejpeg.decode_jpeg_header(data)[2]
    except ValueError:
        colours = "an unusual kind of JPEG"
    if colours not in ("YCbCr", "RGB"):
        found.append({"Gray": "grey", "YCCK": "CMYK"}.get(colours, colours))
    if b"Exif\0\0" in header or b"tiff:Orientation" in header or b"MPF\0" in header:
        with Image.open(BytesIO(data)) as image:
            found += _turned(image)
    return found


def _scan_start(data: bytes) -> int:
    """Where the compressed pixels begin: a thumbnail inside EXIF has an end mark of its own."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        place += 1 if data[place + 1] == 0xFF else 2 + int.from_bytes(data[place + 2 : place + 4])
    return place


def _odd_other(data: bytes) -> list[str]:
    with Image.open(BytesIO(data)) as image:
        found = _turned(image)
        frames = getattr(image, "n_frames", 1)
        found += [f"{frames} frames: only the first is read"] if frames > 1 else []
        mode, transparent = image.mode, image.has_transparency_data
    if mode.startswith("I") or mode == "F":
        found.append("16 bits or more per pixel: other tools turn it white")
        mode = "L"  # one channel all the same
    words = {"1": "black and white", "L": "grey", "LA": "grey", "P": "palette", "CMYK": "CMYK"}
    found += [words[mode]] if mode in words else []
    return [*found, "transparent: shown on white"] if transparent else found


def _turned(image: Image.Image) -> list[str]:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF
        return ["damaged EXIF"]
    if orientation in range(2, 9):
        return [f"stored rotated or mirrored (EXIF orientation {orientation}): read upright"]
    return [] if orientation == 1 else [f"invalid EXIF orientation {orientation}"]


def _odd_shape(pixels: np.ndarray) -> list[str]:
    height, width = pixels.shape[:2]
    if min(height, width) < TINY:
        return [f"only {width} x {height} pixels"]
    longer = max(height, width) / min(height, width)
    return [f"aspect ratio of {longer:.1f}"] if longer > LONG else []
