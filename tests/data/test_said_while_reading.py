"""In a terminal, words stand on the screen before a folder is listed, and before a picture is read."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from imagelab.data import listing, scan
from imagelab.problem import Problem
from imagelab.terminal import screen
from tests.in_process import imagelab

CLEARED = re.compile(r"^.*\r\x1b\[K", re.DOTALL)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Four photos in two classes, whose facts are not known yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), len(name), dtype=np.uint8)).save(file)
    return tmp_path / "photos"


def test_what_takes_long_in_a_slow_folder_is_said_before_it_begins(photos, monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=200)
    monkeypatch.setattr(screen, "errors", terminal)
    seen = {}

    def note(moment: str) -> None:
        seen.setdefault(moment, CLEARED.sub("", terminal.file.getvalue()))  # type: ignore[attr-defined]

    folders = listing._folders

    def slowly_listed(folder):
        note("listing")
        return folders(folder)

    def slowly_read(path, max_pixels):
        note("reading")
        raise Problem("the test has seen enough")

    monkeypatch.setattr(listing, "_folders", slowly_listed)
    monkeypatch.setattr(scan, "verify", slowly_read)
    said = imagelab("train", "trainer=cpu", "data=folder", f"data.root={photos}", folder=photos.parent)
    assert "the test has seen enough" in said.err + terminal.file.getvalue()  # type: ignore[attr-defined]
    assert seen == {"listing": "loading …", "reading": f"checking 4 pictures of {photos}, once …"}
