"""`explain=true` adds heat maps to predictions and to the mistakes of a report."""

import re
from types import SimpleNamespace

import numpy as np

import imagelab
from imagelab.data.pictures import pictures
from imagelab.data.reader import Reader
from imagelab.predict import explain, write
from imagelab.reports import mistakes_explained
from tests import in_process
from tests.test_predict import write_mixed


def test_predict_writes_a_page_with_two_pictures_per_readable_file(digits, tmp_path):
    write_mixed(tmp_path / "mixed")
    words = [f"run={digits}", "source=mixed", "explain=true", "output=out.csv"]
    said = in_process.imagelab("predict", *words, folder=tmp_path)
    assert said.status == 0, said
    page = (tmp_path / "out.html").read_text()
    assert page.count("<img") == 2 * 5
    assert "grey16.png: " in page
    refused = in_process.imagelab("predict", *words, "tta=flip", folder=tmp_path)
    assert "leave tta out" in refused.err


def test_each_picture_is_decoded_once_for_the_page_and_the_table(digits, tmp_path, monkeypatch):
    write_mixed(tmp_path / "mixed")
    predictor, seen = imagelab.load(digits), []
    sized = Reader.sized
    monkeypatch.setattr(
        Reader, "sized", lambda self, path, *more: seen.append(path) or sized(self, path, *more)
    )
    paths = pictures(str(tmp_path / "mixed"))[0]
    explain(tmp_path / "out.html", predictor, paths)
    assert len(write(tmp_path / "out.csv", predictor, paths, batch_size=3)) == 3
    assert sorted(seen) == sorted(paths)
    pages = (tmp_path / "out.html").read_text()
    wanted = {path.name: one for path, one in zip(paths, predictor.files(paths), strict=True)}
    named = {name: digit for name, digit in re.findall(r"([\w.]+): (\d) [\d.]+", pages) if name in wanted}
    assert named == {
        name: predictor.classes[one.argmax()]
        for name, one in wanted.items()
        if not isinstance(one, Exception)
    }


def test_a_folder_that_is_not_there_is_a_sentence(digits, tmp_path):
    write_mixed(tmp_path / "mixed")
    words = [f"run={digits}", "source=mixed", "explain=true", "output=none/out.csv"]
    said = in_process.imagelab("predict", *words, folder=tmp_path)
    assert said.status == 2
    assert "output: none/out.html cannot be written: there is no folder none" in said.err


def test_mistakes_are_read_as_large_as_the_network_takes_them(tmp_path, monkeypatch):
    asked, given = [], []
    rng = np.random.default_rng(0)

    def photo(place, least):
        asked.append(least)
        return rng.integers(0, 256, (300, 400, 3), np.uint8)

    found = SimpleNamespace(
        task=SimpleNamespace(predicts="classes"),
        predicted=np.array([1, 0]),
        labels=np.array([0, 0]),
        predictions=np.array([[0.2, 0.8], [0.9, 0.1]]),
        images=SimpleNamespace(photo=photo),
        classes=["a", "b"],
        name=str,
        pixels=photo,
        signals=None,
    )
    reader = Reader(least=288, shape=None)
    predictor = SimpleNamespace(reader=reader, prepared=lambda pixels: pixels)
    monkeypatch.setattr(mistakes_explained, "checkpoint_of", lambda *_: {})
    monkeypatch.setattr(mistakes_explained, "from_checkpoint", lambda *_: predictor)
    monkeypatch.setattr(mistakes_explained, "heat_section", lambda *parts: given.append(parts))
    mistakes_explained.mistakes_explained(tmp_path, found, "best", None)
    assert asked == [288]
    assert given[0][2] == ["0: a, predicted b"]


def test_a_report_explains_its_mistakes(digits):
    plain = in_process.imagelab("report", f"run={digits}", folder=digits)
    before = (digits / "report.html").read_text()
    said = in_process.imagelab("report", f"run={digits}", "explain=true", folder=digits)
    assert (plain.status, said.status) == (0, 0), said
    section = re.search(
        r"Where the network looked</h2>(.*?)</section>", (digits / "report.html").read_text(), re.S
    )
    assert section
    assert "Where the network looked" not in before
    pictures = section[1].count("<img")
    assert pictures > 0
    assert pictures % 2 == 0
