# room: detection
"""Are boxes what detectors here take, do they frame something, and do they follow augmented images?"""

import numpy as np
import torch

from imagelab.box_labels import CLASS, CORNERS, DEGENERATE, LEAST, OUTSIDE, BoxFault, counted, there
from imagelab.checks.findings import NAMED, fact, found
from imagelab.checks.painted import strays
from imagelab.checks.subject import Subject
from imagelab.contracts import Inputs
from imagelab.data.arrays import Arrays
from imagelab.data.box_signal import CLEAR, GIVEN, WEAK, Signal, box_signal_finding, box_signals
from imagelab.data.files import Files
from imagelab.data.memory import read_sizes
from imagelab.finding import Finding, grade
from imagelab.problem import some_of

NO_BOXES = "the task takes no boxes"
IMAGES = 100  # on which boxes are tested
WRONG, MANY = 0.05, 0.5  # shares of boxes without an area or outside; of images without a box
NO_AREA = (
    "this is what left, top, width, height look like when read as left, top, right, bottom",
    "right is left + width, bottom is top + height",
)
SHARES = ("boxes between 0 and 1 look like shares of width and height", "multiply them by width and height")
LOOK = (
    "look at these images"
    " with `imagelab inspect`"  # room: inspection
)
MIRRORS = ("mirrored", "upside down")
STRAYED = 0.05  # share of painted boxes that an augmentation may leave behind


def box_values(subject: Subject) -> Finding:
    """Every box has an area inside its image, in pixels, and a class from 0 on that exists."""
    if not subject.data.boxes:
        return fact(None, NO_BOXES)
    if fault := _left_out(subject):
        return _wrong(*fault)
    for split, images in subject.data.splits.items():
        rows = images.labels[there(images.labels)]
        if split == "train" and not len(rows):
            return _wrong("no box in train", "there is nothing to find", "look at the annotations")
        if fault := _fault(rows, subject.data.classes, subject.data.size):
            return _wrong(f"{split}: {fault[0]}", *fault[1:])
    counts = np.bincount(_rows(subject, "train")[:, CLASS].astype(int), minlength=len(subject.data.classes))
    missing = [name for name, count in zip(subject.data.classes, counts, strict=True) if not count]
    empty = 1 - float(there(subject.data.splits["train"].labels).any(axis=1).mean())
    if missing == subject.data.classes[:1] and len(counts) > 1:
        return _wrong(
            f"no box of class 0 ({missing[0]})",
            "class 0 looks like a background, which detectors add themselves",
            "count classes from 0, without a background",
        )
    gone = [str(fault) for fault in subject.data.box_faults if fault.what == DEGENERATE]
    strange = [f"without boxes in train: {some_of(missing, NAMED)}"] if missing else []
    if empty > MANY:
        strange.append(f"{empty:.0%} of the training images have no box: are their boxes missing?")
    if gone:
        strange.append(f"{counted(len(gone))} without an area left out: {some_of(gone, NAMED)}")
    return found(
        grade(warn=strange),
        f"{len(_rows(subject, 'train')):,} boxes in train; {empty:.0%} of the images without one",
        expected=f"areas, places and classes that exist; at most {MANY:.0%} of the images without a box",
        why="; ".join(strange) or "boxes have an area inside their image, and classes that exist",
        fix=LOOK if strange else "",
    )


def boxes_follow(subject: Subject) -> Finding:
    """Boxes frame something in the images when their numbers are read in the given order."""
    if not subject.data.boxes:
        return fact(None, NO_BOXES)
    return box_signal_finding(plain_signals(subject))


def augmented_boxes(subject: Subject) -> Finding:
    """Boxes follow the pixels: of each augmentation alone on painted boxes, and of all on the images."""
    if not subject.data.boxes:
        return fact(None, NO_BOXES)
    if not subject.cfg["augment"]:
        return fact("none", "training images are not augmented")
    expected = (
        f"{STRAYED:.0%} or less of painted boxes left behind by any augmentation alone; in the images, "
    )
    expected += f"no more {' or '.join(MIRRORS)} boxes than before, {WEAK / 2:g} standard errors or more"
    shares = strays(subject.data)
    if away := [f"{name}: {share:.0%}" for name, share in shares.items() if share > STRAYED]:
        value = f"painted boxes left behind: {', '.join(away)}"
        why = "alone, it moves pixels and boxes to different places, as when images are flipped without boxes"
        fix = "let boxes move by the draws of the pixels, for the same keys"
        return found("FAIL", value, expected=expected, why=why, fix=fix)
    plain = plain_signals(subject)
    batch = subject.training(min(IMAGES, len(subject.data.splits["train"])))
    moved = _signals(subject, batch, np.full((len(batch.images), 2), batch.images.shape[-1]))
    if not plain or not moved:
        why = f"painted boxes follow {', '.join(shares)}; too few images with boxes to tell from them"
        return found("OK", "painted boxes follow", expected=expected, why=why)
    turned = [name for name in MIRRORS if moved[name].z > CLEAR and plain[name].z < WEAK]
    lost = plain[GIVEN].z > CLEAR and moved[GIVEN].z < WEAK / 2
    return found(
        grade(fail=turned, warn=lost),
        f"{moved[GIVEN].z:.1f} standard errors, {plain[GIVEN].z:.1f} before",
        expected=expected,
        why=f"boxes frame their objects when they are {turned[0]}: images are flipped without their boxes"
        if turned
        else "boxes frame hardly anything after augmentation" * lost,
        fix="augment images and boxes by the same draws" if turned or lost else "",
    )


def plain_signals(subject: Subject) -> dict[str, Signal]:
    """How much boxes frame in training images that are not augmented."""
    if "box signals" not in subject.pictures:
        split = subject.data.splits["train"]
        places = np.flatnonzero(there(split.labels).any(axis=1))
        places = np.sort(np.random.default_rng(0).permutation(places)[:IMAGES])
        batch = subject.read("train", places)
        side = subject.data.size
        named = subject.data.named["train"].images
        extents = np.full((len(places), 2), float(side))
        if isinstance(named, Files):
            sizes = read_sizes(named)[places].astype(float)
            extents = sizes * (side / sizes.max(axis=1, keepdims=True))
        elif isinstance(named, Arrays):
            height, width = named.images.shape[-2:]
            extents = extents * [width, height] / max(width, height)
        subject.pictures["box signals"] = _signals(subject, batch, extents)
    return subject.pictures["box signals"]


def _signals(subject: Subject, batch: Inputs, sizes: np.ndarray) -> dict[str, Signal]:
    with torch.no_grad():
        pixels = subject.data.preprocess.denormalise(batch.images).permute(0, 2, 3, 1).cpu().numpy()
    return box_signals(pixels, batch.targets.cpu().numpy(), sizes)


def _rows(subject: Subject, split: str) -> np.ndarray:
    labels = subject.data.splits[split].labels
    return labels[there(labels)]


def _fault(rows: np.ndarray, classes: list[str], size: int) -> tuple[str, str, str] | None:
    """What is wrong with boxes (n, 6), why that matters, and what to do; None: nothing."""
    if not len(rows):
        return None
    corners = rows[:, CORNERS]
    highest = int(rows[:, CLASS].max())
    if highest >= len(classes):
        why = f"there are {len(classes)} classes, from 0 to {len(classes) - 1}"
        fix = "count classes from 0, without a background: detectors add it"
        return f"class {highest}", why, fix
    if corners.max() <= 1:
        return "corners of at most 1 pixel", *SHARES
    thin = float(((corners[:, 2:] - corners[:, :2]) < LEAST).any(axis=1).mean())
    if thin > WRONG:
        return f"{thin:.0%} without an area", *NO_AREA
    beyond = float(((corners < -LEAST) | (corners > size + LEAST)).any(axis=1).mean())
    if beyond > WRONG:
        why = f"the network sees {size} x {size} pixels: boxes of images of another size, or in another order"
        return f"{beyond:.0%} outside the image", why, "scale boxes as their images are"
    return None


def _left_out(subject: Subject) -> tuple[str, str, str] | None:
    """What is wrong if the data set left out or cut off many boxes, why, and what to do; None: it did not."""
    kept = sum(int(there(images.labels).sum()) for images in subject.data.splits.values())
    faults = {
        what: [fault for fault in subject.data.box_faults if fault.what == what]
        for what in (DEGENERATE, OUTSIDE)
    }
    whole = kept + len(faults[DEGENERATE])
    gone = [fault for fault in faults[DEGENERATE] if not _has_area(fault)]
    cut = [fault for fault in faults[DEGENERATE] if _has_area(fault)] + faults[OUTSIDE]
    if len(gone) > WRONG * whole:
        value = f"{len(gone) / whole:.0%} without an area"
        if all(max(fault.corners) <= 1 for fault in gone):
            return value, *SHARES
        return value, *NO_AREA
    if len(cut) > WRONG * whole:
        value = f"{len(cut) / whole:.0%} outside their image"
        why = "they reach beyond its border: boxes of images of another size, or in another order"
        return value, why, "scale boxes as their images are"
    return None


def _has_area(fault: BoxFault) -> bool:
    left, top, right, bottom = fault.corners
    return min(right - left, bottom - top) >= LEAST


def _wrong(value: str, why: str, fix: str) -> Finding:
    return found(
        "FAIL", value, expected="boxes in pixels inside their images, classes from 0", why=why, fix=fix
    )
