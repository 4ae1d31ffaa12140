"""Decode any picture file to upright RGB uint8, or raise an error that names the file.

Damaged files never come out half grey: simplejpeg is strict, while OpenCV and Pillow fill in missing parts.

Source: EXIF 2.32, tag 0x0112; scaled decoding as in libjpeg-turbo, https://libjpeg-turbo.org.
"""

import os
import stat
import warnings
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import ExifTags, Image

from imagelab.contracts import Least
from imagelab.data.content import digest
from imagelab.problem import Problem

START_OF_SCAN = 0xDA
FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
SEQUENTIAL = {0xC0, 0xC1}  # decoded row by row; others keep numbers for the whole picture in memory
MOST_PIXELS = 50_000_000  # of one picture, where no config says otherwise
# Bytes per pixel at the peak of decoding, measured; MOST_PIXELS is meant for those that Pillow decodes.
BASELINE, PILLOW, WIDE = 4, 14, 36
SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"} | dict.fromkeys(
    (stat.S_IFCHR, stat.S_IFBLK), "a device"
)
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # the limit here is lower


class Unreadable(Problem):
    """The file is not a picture, or is damaged; the message names the file and says why."""


class Verified(NamedTuple):
    """Width and height of a picture in pixels, upright, and a hash of the bytes of its file."""

    width: int
    height: int
    content: int


def decode(path: str | Path, least: Least = None, most: int = MOST_PIXELS) -> np.ndarray:
    """Decode a picture of any kind to (H, W, 3) uint8, upright: first frame, transparency on white.

    Args:
        path: Path of the file; its extension does not matter.
        least: Smallest short side still needed, in pixels. To save time, a JPEG is decoded at 1/8, 1/4, 1/2
            or all of its size, whichever is the smallest that is large enough. Resized to `least` by areas
            it is typically within 33 dB of a full decode, to half of that within 40 dB.
        most: Largest number of pixels to decode; a file that is cheaper per pixel may have more.

    Raises:
        Unreadable: The file is missing, empty, truncated, damaged, too large, or not a picture.
    """
    return decode_sized(path, least, most)[0]


def decode_sized(path: str | Path, least: Least, most: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode a picture as `decode` does -> (H, W, 3) uint8, and its whole width and height.

    Raises:
        Unreadable: As in `decode`.
    """
    return _read(path, partial(read_file, path), least, most)


def verify(path: str | Path, most: int = MOST_PIXELS) -> Verified:
    """Decode the whole file as cheaply as possible.

    Raises:
        Unreadable: As in `decode`, whatever its `least`.
    """
    read: list[bytes] = []

    def content() -> bytes:
        read.append(read_file(path))
        return read[0]

    width, height = _read(path, content, 1, most)[1]
    return Verified(width, height, digest(read[0]))


def read_file(path: str | Path, count: int = -1) -> bytes:
    """Read a regular file, or its first bytes; opening a named pipe or a device could block forever.

    Raises:
        OSError: It cannot be read, or is not a regular file.
    """
    if special := SPECIAL.get(stat.S_IFMT(os.stat(path).st_mode)):  # noqa: PTH116 - for each of 10^6 files
        raise OSError(f"{special}, not a file")
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read(count)


def decode_bytes(data: bytes, name: str, least: Least, most: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode the content of a picture file -> (H, W, 3) uint8 as `decode`, and its whole width and height.

    Raises:
        Unreadable: As in `decode`; the message begins with `name`.
    """
    return _read(name, lambda: data, least, most)


def _read(
    name: str | Path, content: Callable[[], bytes], least: Least, most: int
) -> tuple[np.ndarray, tuple[int, int]]:
    try:
        data = content()
        if not data:
            raise ValueError("the file is empty")
        if (shape := _plain_jpeg(data)) is not None:
            return _jpeg(data, shape, least, most)
        image = _pillow(data, most)
        return image, (image.shape[1], image.shape[0])
    except Exception as error:  # decoders of some 40 formats raise whatever they like on damaged files
        raise Unreadable(f"{name}: {_reason(error)}") from error


def _plain_jpeg(data: bytes) -> tuple[int, int] | None:
    """Height and width of a grey or RGB JPEG; None for any other file."""
    if data[:3] != b"\xff\xd8\xff":
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None  # Pillow knows more kinds of JPEG, and has clearer error messages
    return None if colours in ("CMYK", "YCCK") else (int(height), int(width))


def _jpeg(data: bytes, shape: tuple[int, int], least: Least, most: int) -> tuple[np.ndarray, tuple[int, int]]:
    end, frame = _header(data)
    # Not by the size that `least` asks for: a file that passed before training must pass in training.
    _refuse_huge(shape[1], shape[0], BASELINE if frame in SEQUENTIAL else PILLOW, most)
    orientation = _jpeg_orientation(data, data[:end])
    upright = (shape[1], shape[0]) if orientation >= 5 else shape
    height, width = _scaled(shape, least(*upright) if callable(least) else least)
    image = simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width)
    return _upright(image, orientation) if orientation > 1 else image, (upright[1], upright[0])


def _jpeg_orientation(data: bytes, segments: bytes) -> int:
    if b"Exif\0\0" not in segments and b"tiff:Orientation" not in segments:
        return 1  # 20 times faster than parsing the header
    with Image.open(BytesIO(data)) as header:
        return _orientation(header)


def _scaled(shape: tuple[int, int], least: int | None) -> tuple[int, int]:
    """Height and width, halved while the short side stays at least `least`; other scales would be slower.

    >>> _scaled((375, 500), 224), _scaled((1500, 2001), 224), _scaled((1500, 2001), None)
    ((375, 500), (375, 501), (1500, 2001))
    """
    divisor = 1
    while least and divisor < 8 and -(-min(shape) // (2 * divisor)) >= least:
        divisor *= 2
    return -(-shape[0] // divisor), -(-shape[1] // divisor)


def _header(data: bytes) -> tuple[int, int]:
    """The first byte of a JPEG's compressed pixels, and the marker of its frame: 0xC0 if it is baseline."""
    place, frame = 2, 0
    while data[place : place + 1] == b"\xff" and (marker := data[place + 1]) != START_OF_SCAN:
        frame = marker if marker in FRAMES else frame
        padding = marker == 0xFF
        place += 1 if padding else 2 + int.from_bytes(data[place + 2 : place + 4])
    return place, frame


def _pillow(data: bytes, most: int) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        wide = image.mode.startswith("I") or image.mode == "F"
        _refuse_huge(image.width, image.height, WIDE if wide else PILLOW, most)
        image.load()
        return _upright(_rgb(image), _orientation(image))  # orientation last: loading turns a TIFF upright


def _refuse_huge(width: int, height: int, cost: int, most: int) -> None:
    """Refuse a picture that takes more memory than `most` pixels in Pillow; `cost`: bytes per pixel."""
    need = width * height * cost
    if need > most * PILLOW:
        raise ValueError(
            f"decoding {width} x {height} pixels takes {need / 1e9:.1f} GB, more than "
            f"data.max_pixels={most} allows ({most * PILLOW / 1e9:.1f} GB); shrink the picture or raise that"
        )


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(_eight_bits(np.asarray(image), image.mode)[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _eight_bits(grey: np.ndarray, mode: str) -> np.ndarray:
    """16 bits, 32 bits or floats -> uint8; if the value of white is unknown, the next usual value is taken.

    >>> _eight_bits(np.array([0, 32768, 65535]), "I;16").tolist()
    [0, 128, 255]
    """
    values = np.nan_to_num(grey.astype(np.float64), posinf=0.0, neginf=0.0).clip(0)
    if mode.startswith("I;16"):
        white = 65535.0
    else:
        usual = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0, 2.0**32 - 1)
        brightest = float(values.max())
        white = next((white for white in usual if brightest <= white), brightest)
    return np.rint(values * (255 / white)).astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF says nothing about the pixels
        return 1
    return found if found in range(1, 9) else 1


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo how the camera was held; `orientation`: 1-8 as in EXIF."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture, or of a kind that Pillow cannot read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
