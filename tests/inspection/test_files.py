import json

import pytest

from imagelab.inspection.files import files
from imagelab.inspection.scan import scan
from tests.in_process import imagelab
from tests.inspection import bad_files
from tests.inspection.bad_files import encoded, scene
from tests.inspection.looked_at import collection, config_of


@pytest.fixture(scope="module")
def inspected(tmp_path_factory):
    """The findings of the planted folder, by name, and the folder of the command."""
    top = tmp_path_factory.mktemp("planted")
    root, out = bad_files.plant(top / "photos"), top / "out"
    said = imagelab("inspect", "data=folder", f"data.root={root}", f"hydra.run.dir={out}", folder=top)
    assert said.status == 0, said
    findings = {finding["name"]: finding for finding in json.loads((out / "inspection.json").read_text())}
    return findings, out


@pytest.mark.parametrize(("name", "why"), bad_files.UNREADABLE.items())
def test_every_unreadable_file_is_named_with_its_reason(inspected, name, why):
    finding = inspected[0]["files that can be read"]
    assert finding["status"] == "FAIL"
    assert why in finding["value"][f"train/bad/{name}"]


@pytest.mark.parametrize(("name", "why"), bad_files.ODD.items())
def test_every_odd_file_is_named_with_what_is_odd(inspected, name, why):
    finding = inspected[0]["files unlike the others"]
    assert finding["status"] == "WARN"
    assert why in finding["value"][f"train/bad/{name}"]


@pytest.mark.parametrize("name", ["16bit.png", "16bit.tif", "bilevel.png", "la.png", "l.jpg"])
def test_a_file_of_one_channel_is_not_called_stored_as_colour(inspected, name):
    assert "stored as colour" not in inspected[0]["files unlike the others"]["value"][f"train/bad/{name}"]


@pytest.mark.parametrize("name", bad_files.CUT)
def test_a_jpeg_without_its_end_is_named(inspected, name):
    faults, odd = (
        inspected[0]["files that can be read"]["value"],
        inspected[0]["files unlike the others"]["value"],
    )
    assert f"train/bad/{name}" in faults or "end-of-image" in odd[f"train/bad/{name}"]


@pytest.mark.parametrize(("name", "why"), bad_files.STRAYS.items())
def test_files_that_training_ignores_are_named(inspected, name, why):
    assert why in inspected[0]["files passed over"]["value"][f"train/bad/{name}"]


def test_nothing_else_is_called_bad_or_odd(inspected):
    known = {*bad_files.UNREADABLE, *bad_files.ODD, *bad_files.CUT}
    findings = inspected[0]
    named = {*findings["files that can be read"]["value"], *findings["files unlike the others"]["value"]}
    assert {name.removeprefix("train/bad/") for name in named} <= known


def test_file_names_cannot_inject_html_into_the_page(inspected):
    page = (inspected[1] / "inspection.html").read_text(encoding="utf-8")
    assert "<b>&" not in page
    assert len(page) < 1_000_000


def test_advice_that_is_followed_already_is_not_given_again(tmp_path):
    images = collection(tmp_path / "photos", {"a/1.jpg": encoded(scene(1)), "b/2.jpg": b"x"})
    seen = scan(images, tmp_path)
    for on_bad_image, status in (("error", "FAIL"), ("skip", "WARN")):
        cfg = config_of(tmp_path / "photos", on_bad_image=on_bad_image)
        found = files(seen, cfg, tmp_path).findings[0]
        assert (found.status, "on_bad_image" in found.fix) == (status, status == "FAIL")
