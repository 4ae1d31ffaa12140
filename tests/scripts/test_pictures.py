"""Pictures of the documents are those that the code draws now."""

import re
from typing import get_args, get_type_hints

import pytest

from imagelab.config import menu
from imagelab.config.schema import ModelKnobs
from scripts.pictures import FOLDER, PICTURES

NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]\d+)?")


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_up_to_date(name):
    """Up to a pixel, or 5% of a value: other processors round differently."""
    texts = [(FOLDER / f"{name}.svg").read_text(encoding="utf-8"), PICTURES[name]()]
    words = [NUMBER.sub("#", text) for text in texts]
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in texts]
    assert words[0] == words[1], f"docs/pictures/{name}.svg is stale: run `make docs`"
    assert numbers[0] == pytest.approx(numbers[1], abs=1, rel=0.05), f"{name}.svg is stale: run `make docs`"


def test_no_other_picture_lies_there():
    others = {"run", "report", "evidence"}  # by scripts/run_pictures.py, and by benchmarks/tricks.py
    assert {path.stem for path in FOLDER.iterdir()} == set(PICTURES) | others


@pytest.mark.parametrize("name", ["init", "init_tanh"])
def test_every_init_has_its_line(name):
    schemes = set(get_args(get_type_hints(ModelKnobs)["init"]))
    picture = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert {scheme for scheme in schemes if f"<title>{scheme}</title></polyline>" in picture} == schemes


def test_every_schedule_has_its_line():
    picture = (FOLDER / "schedules.svg").read_text(encoding="utf-8")
    missing = [
        name for name in menu.choices("schedule") if f"<title>{name}</title></polyline>" not in picture
    ]
    assert missing == []
