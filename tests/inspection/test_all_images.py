"""All images on a page: thumbnails in sheets, shown as they are scrolled to, searched and ordered."""

import numpy as np
import pytest
from PIL import Image

from imagelab.inspection.all_images import all_images
from imagelab.inspection.scan import scan
from imagelab.pages.page import page
from tests.browser import load
from tests.inspection.looked_at import collection, png

COUNT = 230
LOOK = """
const block = document.querySelector("div.sheets");
const grid = block.querySelector("div.grid");
const names = () => [...grid.children].map((one) => one.title.split("\\n")[0]);
const output = () => block.querySelector("output").textContent;
const wait = () => new Promise((resolve) => setTimeout(resolve, 300));
const say = (box, value) => {
  box.value = value;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  return [names().slice(0, 2), output()];
};
const [search, order, ofClass, split, finding] = block.querySelectorAll("input, select");
const seen = { atFirst: grid.childElementCount, nodes: document.querySelectorAll("*").length };
block.querySelector(".end").scrollIntoView();
await wait();
seen.scrolled = [grid.childElementCount, new Set(names()).size];
const tile = grid.children[157].firstElementChild;
seen.link = grid.children[157].href;
seen.style = getComputedStyle(tile).backgroundPosition + " " + getComputedStyle(tile).backgroundImage;
const sheet = new Image();
seen.loaded = await new Promise((resolve) => {
  [sheet.onload, sheet.onerror] = [() => resolve(sheet.naturalWidth), () => resolve("blocked")];
  sheet.src = getComputedStyle(tile).backgroundImage.slice(5, -2);
});
seen.found = say(finding, "-1");
seen.of = grid.firstElementChild.title.split("\\n").at(-1);
say(finding, "");
seen.bright = say(order, "-brightness");
seen.dog = say(ofClass, "1");
seen.searched = say(search, "9.PNG dog/1");
return seen;
"""


@pytest.fixture
def drawn(tmp_path):
    """A scan of grey pictures, each brighter than the one before, in two classes; the folder of the page."""
    files = {f"{'cat' if k < 115 else 'dog'}/{k}.png": png(k) for k in range(COUNT)}
    seen = scan(collection(tmp_path / "photos", files), tmp_path)
    section = all_images(seen, {"too <dark>": ["cat/3.png"]}, tmp_path)
    text = page(title="All", summary="", findings=[], sections=[section])
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    return seen, tmp_path


def test_a_sheet_holds_each_thumbnail_in_its_place(drawn):
    seen, folder = drawn
    assert sorted(path.name for path in (folder / "gallery").iterdir()) == [f"000{k}.jpg" for k in range(3)]
    for place in (0, 57, 99, 157, 229):
        value = int(str(seen.images.names[place]).partition("/")[2].removesuffix(".png"))
        sheet = np.asarray(Image.open(folder / f"gallery/{place // 100:04}.jpg"))
        row, column = divmod(place % 100, 10)
        cell = sheet[64 * row + 16 : 64 * row + 48, 64 * column + 16 : 64 * column + 48]
        assert abs(cell.mean() - value) < 2


def test_images_come_as_they_are_scrolled_to_and_are_found_by_what_is_known_of_them(drawn):
    images, folder = drawn
    shown = load(folder / "page.html", LOOK)
    seen = shown.returned
    assert shown.errors == []
    assert seen["atFirst"] == 200
    assert seen["nodes"] < 500
    assert seen["scrolled"] == [COUNT, COUNT]
    name = str(images.images.names[157])
    assert seen["link"] == (folder / "photos" / name).as_uri()
    assert seen["style"].startswith("-560px -266")  # eighth in the sixth row, 80 x 53.3 pixels each
    assert "gallery/0001.jpg" in seen["style"]
    assert seen["loaded"] == 640
    assert seen["found"] == [["cat/3.png"], "1 of 230 images"]
    assert seen["of"] == "too <dark>"
    assert seen["bright"] == [["dog/229.png", "dog/228.png"], "230 images"]
    assert seen["dog"] == [["dog/229.png", "dog/228.png"], "115 of 230 images"]
    assert seen["searched"] == [["dog/199.png", "dog/189.png"], "9 of 230 images"]
