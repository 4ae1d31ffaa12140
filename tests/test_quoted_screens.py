"""What the documents quote from the screen is what the commands print now; only times may differ."""

import re
import shlex
from html import unescape

import numpy as np
import pytest
from PIL import Image

from scripts.run_pictures import FOLDER, terminal
from tests.documents import ROOT
from tests.in_process import imagelab

WHEN = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d|\d:\d\d:\d\d|[\d,.]+ (?:images/)?s\b")
NUMBER = re.compile(r"\d+\.?\d*(?:e[+-]\d+)?")


def lines_of(picture):
    """The lines of a terminal in a picture, from the one after the command."""
    rows = {}
    for row, text in re.findall(r'<text class="run-r\d" [^>]*? y="([\d.]+)"[^>]*>(.*?)</text>', picture):
        rows[float(row)] = rows.get(float(row), "") + unescape(text).replace("\xa0", " ")
    lines = [rows[row].rstrip() for row in sorted(rows)]
    return [line for line in lines[lines.index("$ imagelab train") + 1 :] if line]


def quoted_and_printed(*words, folder):
    """The lines of the README's picture, and those of a picture of a run now."""
    said = imagelab("train", *words, folder=folder)
    assert said.status == 0, said
    return lines_of((FOLDER / "run.svg").read_text(encoding="utf-8")), lines_of(terminal(said.out))


def shape(line):
    """A line with one space between words, and without times and numbers."""
    return " ".join(NUMBER.sub("#", WHEN.sub("@", line)).split())


def test_the_readme_shows_the_lines_that_a_run_prints(tmp_path):  # room: reports
    both = quoted_and_printed("trainer.max_epochs=4", folder=tmp_path)
    judged = ("verdict", "try")  # depend on the length of the run
    ours, now = ([shape(line) for line in lines if not line.startswith(judged)] for lines in both)
    assert ours == now


@pytest.mark.slow
def test_the_readme_shows_the_numbers_of_the_default_run(tmp_path):  # room: reports
    """Up to what other processors round differently."""
    ours, now = quoted_and_printed(folder=tmp_path)
    assert [shape(line) for line in ours] == [shape(line) for line in now]
    for first, second in zip(ours, now, strict=True):
        numbers = [[float(n) for n in NUMBER.findall(WHEN.sub("@", line))] for line in (first, second)]
        assert numbers[0] == pytest.approx(numbers[1], abs=0.03), (first, second)


def test_the_page_on_the_learning_rate_quotes_its_last_line(tmp_path):  # room: finders
    page = (ROOT / "docs" / "howto" / "learning-rate.md").read_text(encoding="utf-8")
    command, last = re.findall(r"^(?:imagelab|Set) .*$", page, re.MULTILINE)[:2]
    small = ["model.width=4", "data.size=16", "data.batch_size=16", "data.workers=0", "steps=60"]
    for label, name in enumerate(("ant", "bee")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(40):
            pixels = np.random.default_rng(k).integers(0, 160, (18, 18, 3)) + 95 * label
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "photos" / name / f"{k}.png")
    said = imagelab(*shlex.split(command)[1:], *small, folder=tmp_path)
    assert said.status == 0, said
    assert shape(said.out.strip().splitlines()[-1]) == shape(last)
