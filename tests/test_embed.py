"""`imagelab embed` writes features, neighbours and a map, and finds pictures by example."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imagelab
from imagelab.embedding.embedded import read_table
from imagelab.finding import read
from tests import browser, in_process


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """Twenty pictures in two folders, one of which is there twice under another name, and one is broken."""
    root, rng = tmp_path_factory.mktemp("drawn"), np.random.default_rng(0)
    for name, rows in (("dots", 8), ("bars", 1)):
        (root / name).mkdir()
        for k in range(10):
            pixels = rng.integers(0, 256, (rows, 8)).repeat(8 // rows, 0)
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{k}.png")
    shutil.copy(root / "dots" / "3.png", root / "bars" / "copy.png")
    (root / "broken.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def said(digits, drawn) -> in_process.Said:
    words = [f"run={digits}", f"source={drawn}", f"query={drawn / 'dots' / '3.png'}", "neighbours=2"]
    found = in_process.imagelab("embed", *words, folder=digits)
    assert found.status == 0, found
    return found


def test_the_table_holds_what_python_gives(said, digits, drawn):
    table = read_table(digits / "embedding" / "features.parquet")
    assert len(table) == 21
    predictor = imagelab.load(digits)
    np.testing.assert_allclose(predictor.features(table.files), table.features, atol=1e-5)
    logits = predictor.net.get_submodule("head")
    best = np.array(predictor.classes)[
        (table.features @ logits.weight.detach().numpy().T + logits.bias.detach().numpy()).argmax(1)
    ]
    assert best.tolist() == table.predicted


def test_a_copy_is_the_nearest_neighbour_and_what_a_query_finds_first(said, digits, drawn):
    rows = list(csv.DictReader((digits / "embedding" / "neighbours.csv").open()))
    first = {row["file"]: row for row in rows if row["rank"] == "1"}
    one, other = str(drawn / "dots" / "3.png"), str(drawn / "bars" / "copy.png")
    assert (first[one]["neighbour"], first[other]["neighbour"]) == (other, one)
    assert float(first[one]["similarity"]) == pytest.approx(1, abs=1e-5)
    assert len(rows) == 21 * 2
    lines = said.out.splitlines()
    place = lines.index(f"{one} is most like")
    assert {line.split()[1] for line in lines[place + 1 : place + 3]} == {one, other}
    unreadable = read(digits / "embedding" / "embedding.json")[-1]
    assert (unreadable.status, len(unreadable.value)) == ("WARN", 1)


def test_a_stored_table_is_searched_without_its_pictures_and_only_with_its_network(
    said, digits, drawn, tmp_path
):
    table = digits / "embedding" / "features.parquet"
    query = [f"query={drawn / 'bars' / 'copy.png'}", f"source={table}", "map=null", "output=again"]
    again = in_process.imagelab("embed", f"run={digits}", *query, folder=tmp_path)
    assert again.status == 0, again
    assert f"1.000  {drawn / 'dots' / '3.png'}" in again.out
    other = in_process.imagelab(
        "embed", "run=weights", *query, folder=tmp_path
    )  # room: model/efficientnet_lite0
    assert "come from a different network" in other.err  # room: model/efficientnet_lite0


def test_the_map_shows_each_picture_in_a_browser(said, digits):
    script = (
        'return [document.querySelectorAll("svg image").length, document.querySelectorAll("circle").length,'
        '[...document.querySelectorAll("svg image")].every(i => i.getBoundingClientRect().width > 0)]'
    )
    page = browser.load(digits / "embedding" / "embedding.html", script)
    assert page.errors == []
    images, dots, seen = page.returned
    assert (images + dots, seen) == (21, True)


@pytest.mark.parametrize(
    ("words", "why"), [("neighbours=0", "neighbours: wants 1"), ("most=1", "most: wants 2")]
)
def test_numbers_out_of_range_are_refused(words, why, digits, drawn, tmp_path):
    found = in_process.imagelab("embed", f"run={digits}", f"source={drawn}", words, folder=tmp_path)
    assert (found.status, list(tmp_path.iterdir())) == (2, [])
    assert why in found.err
