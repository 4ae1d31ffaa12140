"""Serve a local page on which a person labels held-out images, until all have a label."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imagelab.config.schema import Node
from imagelab.data.image_data import ImageData
from imagelab.data.labels import refuse_all_but_classes
from imagelab.finding import Finding, plain
from imagelab.inspection.annotation import Answers, Said, findings, order_of
from imagelab.inspection.annotation_page import serve
from imagelab.inspection.suspects import pixels, readable_data
from imagelab.pages.local_server import HOST, serve_until_stopped
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture
from imagelab.pages.publish import publish
from imagelab.pages.table import table
from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.terminal import screen
from imagelab.terminal.summary import near

STEM, ORDER = "annotation", "annotation_order.json"
SIDE = 600  # pixels: about the height of a browser window


class Annotation:
    """The images to label, and the answers so far.

    Args:
        data: Data module that holds the images.
        split: Split to label.
        places: Indices in that split, in the order to show.
        folder: Folder of annotation.csv and annotation.json.
    """

    def __init__(self, data: ImageData, split: str, places: np.ndarray, folder: Path) -> None:
        self.data = data
        self.images = data.named[split].images
        self.labels = data.splits[split].labels
        self.split = split
        self.places = places.tolist()
        self.folder = folder
        names = data.named[split].names
        self.files = [names[place] for place in self.places]
        self.answers = Answers(folder / f"{STEM}.csv", self.files)
        self.lock = threading.Lock()

    @property
    def done(self) -> bool:
        """Whether all images have an answer."""
        return len(self.answers.said) == len(self.places)

    def keep_order(self) -> None:
        """Save the order of the images, so that the annotation can be resumed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files.write_json(self.folder / ORDER, {"split": self.split, "files": self.files})

    def state(self) -> Node:
        """The state that the page needs to show the next image, without its label."""
        progress = {"number": len(self.answers.said), "total": len(self.places), "done": self.done}
        return progress | {"classes": self.data.classes, "result": self.result() if self.done else ""}

    def image(self, number: int) -> np.ndarray:
        """The image at a place in the order, (H, W, 3) uint8."""
        return pixels(self.images, self.places[number], SIDE)

    def answer(self, number: int, label: int, seconds: float) -> Node:
        """Store an answer if it is for the current image; return the new state."""
        with self.lock:
            if number == len(self.answers.said) and not self.done and 0 <= label < len(self.data.classes):
                given = self.data.classes[int(self.labels[self.places[number]])]
                said = self.data.classes[label]
                self.answers.add(Said(number, self.files[number], given, said, round(seconds, 2)))
                files.write_json(self.folder / f"{STEM}.json", plain(self.findings()))
            return self.state()

    def findings(self) -> list[Finding]:
        """The findings so far."""
        return findings(self.answers.said, len(self.places))

    def result(self) -> str:
        """The findings so far in a sentence."""
        parts = [
            f"{one.name} {one.value['share']:.1%} [{one.value['low']:.1%}, {one.value['high']:.1%}] of "
            f"{one.value['images']}"
            for one in self.findings()
            if one.value
        ]
        return "; ".join(parts) or "nothing was answered"


def annotate(cfg: Node, folder: Path) -> None:
    """Label by hand; the answers go to the folder, or to that of the annotation to resume."""
    begun = annotation(cfg, folder)
    server = serve(begun, cfg["port"])
    left = len(begun.places) - len(begun.answers.said)
    url = f"http://{HOST}:{server.server_port}/"
    screen.say(f"{left} images to label: open {url} (Ctrl-C stops, answers are saved)")
    serve_until_stopped(server)
    screen.say(f"{begun.result()}.")
    if begun.answers.said:
        summary = f"{begun.result()}."
        sections = [_mistakes(begun)]
        title = "Labels by hand"
        findings = begun.findings()
        publish(begun.folder, STEM, title=title, summary=summary, findings=findings, sections=sections)
    if not begun.done:
        screen.say(f"resume: imagelab inspect annotate={near(begun.folder)} with the same data=...")


def annotation(cfg: Node, folder: Path) -> Annotation:
    """Start the annotation that a config asks for, or resume one.

    Raises:
        Problem: There is no annotation to resume, or its images are not those of the data.
    """
    data = readable_data(cfg)
    refuse_all_but_classes(data.splits["train"].labels, "annotate")
    split = "test" if data.has_test else "val"
    if isinstance(cfg["annotate"], str):
        return _resume(cfg["annotate"], data)
    places = order_of(data.splits[split].labels, cfg["annotate"], cfg["seed"])
    return Annotation(data, split, places, folder)


def _resume(name: str, data: ImageData) -> Annotation:
    folder = Path(name).expanduser()
    if not (folder / ORDER).is_file():
        raise Problem(f"annotate={name}: wants a number of images, or the folder of an annotation to resume")
    order = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    place = {file: k for k, file in enumerate(data.named[order["split"]].names)}
    if gone := [file for file in order["files"] if file not in place]:
        raise Problem(
            f"annotate={name}: {gone[0]} is not in {order['split']}; use the same data=... as before"
        )
    return Annotation(data, order["split"], np.array([place[file] for file in order["files"]]), folder)


def _mistakes(begun: Annotation) -> Section:
    rows: Sequence[Sequence[Any]] = [
        [Picture(begun.image(one.number), ""), one.file, one.given, one.said, one.seconds]
        for one in begun.answers.said
        if one.said != one.given
    ]
    columns = ["image", "file", "label", "said", "seconds"]
    about = "Images that the person labelled differently: one of the labels is wrong, or the image is hard."
    return Section("Differences", about, table(columns, rows, filters=["label", "said"]))
