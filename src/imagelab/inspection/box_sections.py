# room: detection
"""Make the sections of an inspection on boxes: counts, sizes, shapes, positions, pictures of strange ones."""

import numpy as np

from imagelab.box_labels import there
from imagelab.inspection.box_facts import FLAGS, BoxFacts
from imagelab.inspection.scan import Seen
from imagelab.pages.box_picture import TRUE, WRONG, DrawnBox, with_boxes
from imagelab.pages.charts import bars, histogram
from imagelab.pages.heat_map import heat_map
from imagelab.pages.page import Section, row
from imagelab.pages.picture import Picture, gallery
from imagelab.pages.table import table

SHOWN = 60  # classes in the chart
PICTURED = 36  # pictures with strange boxes
SIDE = 200  # pixels of a picture
CELLS = 20  # of a map of positions, along each side
WIDTH, HEIGHT = 440, 300  # pixels of a chart


def box_sections(seen: Seen, facts: BoxFacts) -> list[Section]:
    """The sections on boxes; none if there are no boxes."""
    if not len(facts.images):
        return []
    strange = _strange(seen, facts)
    return [_counts(seen, facts), _shapes(seen, facts), *([strange] if strange else [])]


def drawn(seen: Seen, facts: BoxFacts, image: int, side: int = SIDE) -> Picture:
    """A picture with its boxes, strange ones in red."""
    pixels = seen.images.pixels(image, side)
    scale = pixels.shape[1] / max(1, int(seen.sizes[image, 0]))
    boxes = []
    for place in np.flatnonzero(facts.images == image).tolist():
        odd = any(which[place] for which in facts.flags.values())
        left, top, right, bottom = (facts.corners[place] * scale).tolist()
        words = seen.images.classes[facts.labels[place]] if odd else ""
        boxes.append(DrawnBox((left, top, right, bottom), words, WRONG if odd else TRUE))
    return Picture(with_boxes(pixels, boxes, side=side), str(seen.images.names[image]))


def _counts(seen: Seen, facts: BoxFacts) -> Section:
    names = seen.images.classes
    counts = {
        split: np.bincount(facts.labels[facts.splits == split], minlength=len(names))
        for split in seen.images.parts
    }
    groups = {
        name: {split: float(own[k]) for split, own in counts.items()} for k, name in enumerate(names[:SHOWN])
    }
    chart = bars(groups, title="boxes by class", y_label="boxes", width=WIDTH, height=HEIGHT)
    rows = [[name, *(int(own[k]) for own in counts.values())] for k, name in enumerate(names)]
    per_image = {
        split: there(images.labels).sum(axis=1).tolist() for split, images in seen.images.parts.items()
    }
    spread = histogram(
        per_image, title="boxes per image", x_label="boxes", share=True, width=WIDTH, height=HEIGHT
    )
    about = "Boxes of each class, in the splits that training would use. `boxes.csv` lists all boxes."
    return Section("Boxes", about, row(chart, spread) + table(["class", *counts], rows))


def _shapes(seen: Seen, facts: BoxFacts) -> Section:
    def spread(values: np.ndarray, title: str, x_label: str) -> str:
        series = {split: values[facts.splits == split].tolist() for split in seen.images.parts}
        return histogram(
            {split: own for split, own in series.items() if own},
            title=title,
            x_label=x_label,
            share=True,
            width=WIDTH,
            height=HEIGHT,
        )

    sides = np.maximum(facts.sides, 1e-6)
    middles = (facts.corners[:, :2] + facts.corners[:, 2:]) / 2 / facts.sizes
    counts = np.histogram2d(middles[:, 1], middles[:, 0], bins=CELLS, range=[[0, 1], [0, 1]])[0]
    places = heat_map(
        counts / max(1.0, counts.max()),
        rows=[f"{100 * k // CELLS}% from the top" for k in range(CELLS)],
        columns=[100 * k // CELLS for k in range(CELLS)],
        title="Where the middles of boxes are",
        x_label="% from the left",
    )
    charts = [
        spread(np.sqrt(facts.areas), "sizes of boxes", "square root of the share of the picture"),
        spread(np.log2(sides[:, 0] / sides[:, 1]), "shapes of boxes", "binary logarithm of width / height"),
    ]
    about = (
        "Sizes show which `model.levels` and `data.size` you need, shapes which `model.ratios` of anchors."
    )
    return Section("Sizes, shapes and places of boxes", about, row(*charts, places))


def _strange(seen: Seen, facts: BoxFacts) -> Section | None:
    odd = np.zeros(len(facts.images), dtype=bool)
    for flag in FLAGS:
        odd |= facts.flags[flag]
    images, first = np.unique(facts.images[odd], return_index=True)
    if not len(images):
        return None
    pictures = [drawn(seen, facts, image) for image in images[np.argsort(first)][:PICTURED].tolist()]
    about = "Tiny and giant boxes, and boxes given twice, are red; others are green."
    return Section("Strange boxes", about, gallery(pictures, side=SIDE))
