import os
import socket
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from imagelab.data.decode import Unreadable, decode, read_file, verify
from imagelab.data.resize import resized

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(height=48, width=64):
    """Red and green above blue and white: every turn and mirroring of it looks different."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2], image[: height // 2, width // 2 :] = RED, GREEN
    image[height // 2 :, : width // 2], image[height // 2 :, width // 2 :] = BLUE, WHITE
    return image


def corners(image):
    return [tuple(int(v) for v in image[y, x]) for y, x in ((2, 2), (2, -3), (-3, 2), (-3, -3))]


def near(colours, expected, by=6):
    return np.abs(np.array(colours) - np.array(expected)).max() <= by


def saved(folder, image, name, **options):
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize(
    ("mode", "name", "options"),
    [
        ("RGB", "a.png", {}),
        ("RGB", "a.jpg", {"quality": 95, "subsampling": 0}),
        ("RGB", "a.jpg", {"quality": 95, "progressive": True}),
        ("RGB", "a.bmp", {}),
        ("RGB", "a.tif", {}),
        ("RGB", "a.webp", {"lossless": True}),
        ("RGB", "a.ppm", {}),
        ("P", "a.png", {}),
        ("P", "a.gif", {}),
        ("RGBA", "a.png", {}),
        ("RGBA", "a.webp", {"lossless": True}),
        ("CMYK", "a.jpg", {"quality": 95}),
        ("CMYK", "a.tif", {}),
        ("YCbCr", "a.jpg", {"quality": 95, "subsampling": 0}),
    ],
)
def test_colours_survive_every_colour_mode_and_format(tmp_path, mode, name, options):
    image = decode(saved(tmp_path, Image.fromarray(quarters()).convert(mode), name, **options))
    assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)
    assert near(corners(image), [RED, GREEN, BLUE, WHITE])


def test_a_cmyk_jpeg_is_inverted_with_and_without_the_mark_of_adobe(tmp_path):
    path = saved(tmp_path, Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "a.jpg", quality=95)
    data = path.read_bytes()
    assert near(decode(path)[5, 5], RED)
    start = data.index(b"\xff\xee")
    (length,) = struct.unpack(">H", data[start + 2 : start + 4])
    path.write_bytes(data[:start] + data[start + 2 + length :])
    assert near(decode(path)[5, 5], RED)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.pgm"])
def test_grey_becomes_three_equal_channels(tmp_path, name):
    grey = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (32, 1))
    image = decode(saved(tmp_path, grey, name))
    assert image.shape == (32, 64, 3)
    assert (image[:, :, 0] == image[:, :, 1]).all()
    assert (image[:, :, 1] == image[:, :, 2]).all()
    assert np.abs(image[:, :, 0].astype(int) - grey).max() <= 3


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, name):
    grey = np.repeat(np.array([[0, 257, 32768, 65535]], np.uint16), 3, axis=0)
    assert decode(saved(tmp_path, grey, name))[1, :, 2].tolist() == [0, 1, 128, 255]


def test_sixteen_bits_a_channel_are_scaled_in_colour_too(tmp_path):
    blue_green_red = np.full((8, 8, 3), (0, 32768, 65535), np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), blue_green_red)
    assert decode(tmp_path / "a.png")[4, 4].tolist() == [255, 128, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 100, 255]], np.int32), [0, 100, 255]),
        (np.array([[0, 32768, 65535]], np.int32), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 100.0, 255.0]], np.float32), [0, 100, 255]),
        (np.array([[-1.0, np.nan, 1.0]], np.float32), [0, 0, 255]),
    ],
)
def test_wide_greys_are_scaled_to_their_white(tmp_path, values, expected):
    assert decode(saved(tmp_path, values, "a.tif"))[0, :, 0].tolist() == expected


def test_one_bit_is_black_and_white(tmp_path):
    bits = Image.fromarray(np.tile([0, 255], (16, 8)).astype(np.uint8)).convert("1", dither=Image.Dither.NONE)
    assert decode(saved(tmp_path, bits, "a.png"))[0, :4, 0].tolist() == [0, 255, 0, 255]


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (255, 0, 0, 128), (255, 127, 127)),
        ("LA", (0, 0), WHITE),
        ("LA", (0, 255), (0, 0, 0)),
    ],
)
def test_transparency_is_put_on_white(tmp_path, mode, colour, expected):
    assert near(decode(saved(tmp_path, Image.new(mode, (8, 8), colour), "a.png"))[4, 4], expected, by=1)


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_the_transparent_colour_of_a_palette_is_white(tmp_path, name):
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    decoded = decode(saved(tmp_path, image, name, transparency=1))
    assert decoded[4, 4].tolist() == [255, 255, 255]
    assert decoded[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_the_first_frame_of_an_animation_is_taken(tmp_path, name):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE, GREEN)]
    options = {} if name == "a.gif" else {"lossless": True} if name == "a.webp" else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=50, **options)
    assert near(decode(tmp_path / name)[8, 8], RED)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", range(10))  # 0 and 9 mean nothing
def test_every_exif_orientation_comes_out_upright(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, quarters(), name, exif=exif, quality=100)
    image = decode(path)
    assert near(image, np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")), by=12)
    assert image.shape == ((64, 48, 3) if orientation in (5, 6, 7, 8) else (48, 64, 3))
    assert verify(path)[:2] == (image.shape[1], image.shape[0])
    assert image.flags.c_contiguous
    if (
        orientation == 6
    ):  # the camera was held turned left: the picture's first column is the top row, from the right
        assert near(corners(image), [BLUE, RED, WHITE, GREEN], by=12)


def test_the_orientation_in_xmp_counts_as_well_and_damaged_exif_does_not(tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    path = saved(tmp_path, quarters(), "a.jpg", xmp=xmp, quality=95)
    assert near(corners(decode(path)), [WHITE, BLUE, GREEN, RED], by=12)
    path = saved(tmp_path, quarters(), "b.jpg", exif=b"Exif\0\0MM\0*garbage", quality=95)
    assert near(corners(decode(path)), [RED, GREEN, BLUE, WHITE], by=12)


@pytest.mark.parametrize("least", [1, 30, 100, 224, 299, 300, 301, 1000])
def test_a_jpeg_is_decoded_no_larger_than_needed_and_never_smaller(tmp_path, least):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, np.zeros((600, 800, 3), np.uint8), "a.jpg", exif=exif)
    height, width, _ = decode(path, least).shape
    assert height > width  # upright
    assert min(height, width) == min(side for side in (75, 150, 300, 600) if side >= min(least, 600))
    assert verify(path)[:2] == (600, 800)


@pytest.mark.parametrize(("spare", "typical", "worst"), [(1, 30, 25), (2, 38, 28)])
def test_decoding_smaller_looks_the_same_after_area_interpolation(hymenoptera, spare, typical, worst):
    decibels = []
    for path in sorted((hymenoptera / "train" / "bees").glob("*.jpg"))[:20]:
        full, small = decode(path), decode(path, 112 * spare)
        scale = 112 / min(full.shape[:2])
        target = round(full.shape[0] * scale), round(full.shape[1] * scale)
        error = np.square(resized(full, *target).astype(float) - resized(small, *target)).mean()
        decibels.append(10 * np.log10(255**2 / max(error, 1e-3)))
    assert np.median(decibels) > typical
    assert min(decibels) > worst


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {}),
        ("a.jpg", {"progressive": True}),
        ("a.png", {}),
        ("a.gif", {}),
        ("a.bmp", {}),
        ("a.webp", {}),
        ("a.tif", {}),
        ("a.ppm", {}),
    ],
)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused_by_name(tmp_path, name, options, share):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, noise, name, **options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    for read in (decode, verify, lambda path: decode(path, 8)):
        with pytest.raises(Unreadable, match=str(path)):
            read(path)


def test_a_damaged_jpeg_is_refused_although_pillow_and_opencv_accept_it(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, noise, "a.jpg")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    path.write_bytes(data)
    assert np.asarray(Image.open(path).convert("RGB")).shape == (64, 64, 3)
    assert cv2.imread(str(path)) is not None
    with pytest.raises(Unreadable, match=r"a\.jpg: .*Corrupt JPEG data"):
        decode(path)


def test_a_png_with_a_wrong_checksum_is_refused(tmp_path):
    path = saved(tmp_path, quarters(), "a.png")
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 8] ^= 1
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=r"a\.png"):
        decode(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"<html>not found</html>", "not a picture"),
        (b"\xff\xd8\xff\xe0", "not a picture|truncated|Truncated"),
    ],
)
def test_a_file_that_is_not_a_picture_is_refused_with_the_reason(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(Unreadable, match=reason):
        decode(tmp_path / "a.jpg")


def test_missing_files_and_folders_are_refused_with_the_reason(tmp_path):
    with pytest.raises(Unreadable, match=r"none\.jpg: No such file"):
        decode(tmp_path / "none.jpg")
    with pytest.raises(Unreadable, match="Is a directory"):
        decode(tmp_path)


def test_a_picture_that_would_exhaust_memory_is_refused_in_advance(tmp_path):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    jpeg = saved(tmp_path, quarters(), "a.jpg")
    data = bytearray(jpeg.read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 60000, 60000)
    jpeg.write_bytes(data)
    for name in ("a.png", "a.jpg"):
        with warnings.catch_warnings(), pytest.raises(Unreadable, match=f"{name}: .*pixels"):
            decode(tmp_path / name)


def test_the_extension_does_not_matter(tmp_path):
    path = saved(tmp_path, quarters(), "a.png")
    wrong = path.rename(tmp_path / "a.jpg")
    assert (decode(wrong) == quarters()).all()


def test_large_pictures_are_decoded_without_a_warning_of_pillow(tmp_path):
    Image.new("L", (12, 12)).save(tmp_path / "large.png")
    code = (
        "from PIL import Image; from imagelab.data.decode import decode; Image.MAX_IMAGE_PIXELS = 100; "
        "print(decode('large.png').shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("(12, 12, 3)\n", "")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "a named pipe, not a file"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(path), "a socket, not a file"),
        (lambda path: Path(path).symlink_to("/dev/zero"), "a device, not a file"),
        (lambda path: Path(path).symlink_to("a.jpg"), "Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path, monkeypatch, make, reason):
    monkeypatch.chdir(tmp_path)  # the name of a socket has at most 107 bytes
    make("a.jpg")
    for read in (decode, verify, lambda path: decode(path, 8)):
        with pytest.raises(Unreadable, match=f"a.jpg: {reason}"):
            read("a.jpg")
    with pytest.raises(OSError, match=reason):
        read_file("a.jpg", 4)


@pytest.mark.parametrize(
    ("name", "options", "limit"),
    [
        ("a.png", {}, 6400),
        ("a.jpg", {"progressive": True}, 6400),
        ("a.jpg", {}, 1829),  # decoded row by row: 4 bytes per pixel in place of 14
        ("a.tif", {}, 16458),  # 32 bits: 36 bytes
    ],
)
def test_the_limit_counts_what_decoding_costs_whatever_size_is_asked_for(tmp_path, name, options, limit):
    image = Image.fromarray(np.zeros((64, 100, 3), np.uint8))
    path = saved(tmp_path, image.convert("F") if name == "a.tif" else image, name, **options)
    for least in (None, 8, 64):
        assert min(decode(path, least, limit).shape[:2]) >= (least or 64)
        with pytest.raises(Unreadable, match=f"{name}: decoding 100 x 64 .*_pixels={limit - 1}"):
            decode(path, least, limit - 1)
    with pytest.raises(Unreadable, match="shrink the picture or raise that"):
        verify(path, limit - 1)


def test_a_thumbnail_in_a_header_does_not_say_how_a_jpeg_is_decoded(tmp_path):
    inner = saved(tmp_path, Image.new("RGB", (16, 16)), "thumbnail.jpg").read_bytes()
    image, exif = Image.new("RGB", (64, 64)), b"Exif\0\0MM\0*\0\0\0\x08\0\0" + inner
    path = saved(tmp_path, image, "a.jpg", progressive=True, exif=exif)
    assert b"\xff\xc0" in path.read_bytes()
    with pytest.raises(Unreadable, match=r"max_pixels=4000"):
        decode(path, most=4000)
