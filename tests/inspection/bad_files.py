"""A folder of pictures with every known kind of fault, once each."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

UNREADABLE = {
    "half.jpg": "",
    "short20.jpg": "",
    "empty.jpg": "the file is empty",
    "page.jpg": "not a picture",
    "words.png": "not a picture",
    "document.jpg": "not a picture",
    "half.png": "truncated",
    "half.gif": "",
    "huge.png": "exceeds limit",
    "nowhere.jpg": "No such file",
    "pipe.jpg": "a named pipe, not a file",
    "zero.jpg": "a device, not a file",
    "self.jpg": "Too many levels",
}
ODD = {
    "png.jpg": "PNG named .jpg",
    "bmp.jpg": "BMP named .jpg",
    "jpeg.png": "JPEG named .png",
    "cmyk.jpg": "CMYK",
    "l.jpg": "grey",
    "grey_rgb.jpg": "grey, stored as colour",
    "rgba.png": "transparent",
    "palette.png": "palette",
    "la.png": "transparent",
    "bilevel.png": "black and white",
    "16bit.png": "16 bits",
    "16bit.tif": "16 bits",
    "turned.jpg": "EXIF orientation 6",
    "no_turn.jpg": "invalid EXIF orientation 0",
    "1x1.jpg": "only 1 x 1 pixels",
    "ribbon.jpg": "aspect ratio of 20.0",
    "white.jpg": "one colour only",
    "black.jpg": "one colour only",
    "two_frames.gif": "2 frames",
    "animated.webp": "3 frames",
    "only.gif": "a GIF among JPEG files",
}
CUT = ("no_end.jpg", "zero_tail.jpg")  # unreadable or read with a warning: named in either case
STRAYS = {
    ".DS_Store": "not a picture",
    "Thumbs.db": "not a picture",
    "notes.txt": "not a picture",
    "nameless": "a picture (JPEG)",
    "photo.jpg.part": "a picture (JPEG)",
    "pipe.txt": "a named pipe, not a file",
    "self.txt": "Too many levels",
}
LINKS = {
    "nowhere.jpg": "gone",
    "zero.jpg": "/dev/zero",
    "self.jpg": "self.jpg",
    "self.txt": "self.txt",
    "ring": "../../train/bad",
}
GOOD = ("<b>&\"name'.jpg", "schön.jpg", "[0] x = $HOME.jpg")


def scene(seed: int, width: int = 64, height: int = 48) -> Image.Image:
    """A picture of its own: a dozen rectangles, more different in light than in colour, as in photos."""
    rng = np.random.default_rng(seed)
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[:] = _colour(rng)
    for _ in range(12):
        top, left = rng.integers(0, height - 4), rng.integers(0, width - 4)
        tall, wide = rng.integers(4, height), rng.integers(4, width)
        pixels[top : top + tall, left : left + wide] = _colour(rng)
    return Image.fromarray(pixels)


def _colour(rng: np.random.Generator) -> np.ndarray:
    return (rng.integers(10, 246) + rng.normal(0, 25, 3)).clip(0, 255).astype(np.uint8)


def encoded(image: Image.Image, form: str = "JPEG", **how: object) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def plant(root: Path) -> Path:
    """Two classes in train and val, ten good pictures each, and all bad files in train/bad."""
    for place, folder in enumerate(("train/bad", "train/good", "val/bad", "val/good")):
        (root / folder).mkdir(parents=True)
        for k in range(10):
            (root / folder / f"{k}.jpg").write_bytes(encoded(scene(100 * place + k), quality=90))
    bad = root / "train" / "bad"
    for name, content in (contents() | strays()).items():
        (bad / name).write_bytes(content)
    for name, goal in LINKS.items():
        (bad / name).symlink_to(goal)
    for name in ("pipe.jpg", "pipe.txt"):
        os.mkfifo(bad / name)
    for place, name in enumerate(GOOD):
        (bad / name).write_bytes(encoded(scene(900 + place)))
    return root


def contents() -> dict[str, bytes]:
    """File name -> bytes, of all but the links."""
    jpeg, png = encoded(scene(1), quality=90), encoded(scene(2), "PNG")
    grey = scene(3).convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    frames = {"save_all": True, "append_images": [scene(5), scene(6)], "duration": 100}
    turned, unturned = Image.Exif(), Image.Exif()
    turned[0x0112], unturned[0x0112] = 6, 0
    return {
        "half.jpg": jpeg[: len(jpeg) // 2],
        "short20.jpg": jpeg[:-20],
        "empty.jpg": b"",
        "page.jpg": b"<!DOCTYPE html><html><body>404</body></html>",
        "words.png": b"to do: download again",
        "document.jpg": b"%PDF-1.7 ...",
        "half.png": png[: len(png) // 2],
        "half.gif": encoded(scene(4), "GIF")[:200],
        "huge.png": huge(png),
        "png.jpg": encoded(scene(10), "PNG"),
        "bmp.jpg": encoded(scene(11), "BMP"),
        "jpeg.png": encoded(scene(12)),
        "cmyk.jpg": encoded(scene(13).convert("CMYK")),
        "l.jpg": encoded(scene(14).convert("L")),
        "grey_rgb.jpg": encoded(scene(15).convert("L").convert("RGB")),
        "rgba.png": encoded(see_through(16), "PNG"),
        "palette.png": encoded(scene(17).quantize(16), "PNG"),
        "la.png": encoded(see_through(18).convert("LA"), "PNG"),
        "bilevel.png": encoded(scene(19).convert("1"), "PNG"),
        "16bit.png": encoded(deep, "PNG"),
        "16bit.tif": encoded(deep.rotate(180), "TIFF"),
        "turned.jpg": encoded(scene(20), exif=turned),
        "no_turn.jpg": encoded(scene(21), exif=unturned),
        "1x1.jpg": encoded(Image.new("RGB", (1, 1), "red")),
        "ribbon.jpg": encoded(scene(22, width=200, height=10)),
        "white.jpg": encoded(Image.new("RGB", (64, 48), "white")),
        "black.jpg": encoded(Image.new("RGB", (64, 48), "black")),
        "two_frames.gif": encoded(scene(23), "GIF", save_all=True, append_images=[scene(24)]),
        "animated.webp": encoded(scene(25), "WEBP", **frames),
        "only.gif": encoded(scene(26), "GIF"),
        "no_end.jpg": encoded(scene(27))[:-2],
        "zero_tail.jpg": zeroed(encoded(scene(28))),
    }


def strays() -> dict[str, bytes]:
    """Files that are no pictures by their names."""
    jpeg = encoded(scene(29))
    junk = {".DS_Store": b"\0\0\0\1Bud1", "Thumbs.db": b"\xd0\xcf\x11\xe0", "notes.txt": b"to do"}
    return junk | {"nameless": jpeg, "photo.jpg.part": encoded(scene(30))}


def see_through(seed: int) -> Image.Image:
    """A picture whose left half shows what is behind it."""
    image = scene(seed).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 32, 48))
    return image


def zeroed(jpeg: bytes) -> bytes:
    """A download that stopped in a file made at full length."""
    return jpeg[:-40] + bytes(40)


def huge(png: bytes) -> bytes:
    """A PNG that says of itself that it has ten thousand million pixels."""
    header = png[12:16] + struct.pack(">II", 100_000, 100_000) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]
