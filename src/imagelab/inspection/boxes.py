# room: detection
"""How many boxes of which classes, sizes and shapes are there, where, and which of them are strange?"""

from pathlib import Path

import numpy as np

from imagelab.box_labels import DEGENERATE, OUTSIDE, counted, framed, there
from imagelab.config.schema import Node
from imagelab.data.box_signal import MOST, box_signal_finding, box_signals
from imagelab.data.resize import letterboxed
from imagelab.finding import Finding, grade
from imagelab.inspection.answer import Answer
from imagelab.inspection.box_facts import FLAGS, BoxFacts
from imagelab.inspection.box_sections import box_sections
from imagelab.inspection.scan import Seen
from imagelab.inspection.to_measure import to_measure
from imagelab.problem import some_of
from imagelab.randomness import stream

MISREAD = 0.05  # share of boxes from which faults come from a format that is misread
MANY = 0.5  # share of images without a box above which boxes may be missing
LISTED = 100  # files in a finding; boxes.csv has all
SIDE = 160  # pixels of the images on which boxes are tested
EXPECTED = {
    "tiny": "each side 4 pixels or more of what the network sees",
    "giant": "less than 90% of the picture",
    "given twice": "no two boxes of a class with an IoU of 0.9 or more in a picture",
}
HELP = {
    "tiny": "raise data.size, or leave them out: what cannot be seen cannot be found",
    "giant": "check whether they frame an object or the picture",
    "given twice": "keep one of each: the other counts as missed",
}


def box_distribution(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Describe the boxes by class and split; name strange ones by file; write boxes.csv."""
    facts = BoxFacts(seen, cfg["data"]["size"])
    facts.write(seen, folder / "boxes.csv")
    measured = to_measure(_by_split(seen, facts), seen.images.classes, of="boxes")
    findings = [_counts(seen, facts), measured, _per_image(seen, facts)]
    findings += [_faults(seen, facts, DEGENERATE), _faults(seen, facts, OUTSIDE)]
    findings += [_flagged(seen, facts, flag) for flag in FLAGS]
    named = {f"{flag} boxes": [*facts.named(seen, flag)] for flag in FLAGS}
    named["no boxes"] = seen.images.names[_bare(seen)].tolist()
    marks = {what: names for what, names in named.items() if names}
    return Answer(findings=findings, sections=box_sections(seen, facts), marks=marks)


def boxes_follow(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Test whether boxes frame something in the images, and in which order their numbers seem to be."""
    places = np.flatnonzero(seen.readable & there(seen.images.labels).any(axis=1))
    places = np.sort(stream(cfg["seed"], "box signal").permutation(places)[:MOST])
    if not len(places):
        return Answer(findings=[box_signal_finding({})])
    images = np.stack([letterboxed(seen.images.pixels(place, SIDE), SIDE) for place in places.tolist()])
    sizes = seen.sizes[places]
    labels = framed(seen.images.labels[places], sizes, SIDE)
    inside = sizes * (SIDE / sizes.max(axis=1, keepdims=True))
    return Answer(findings=[box_signal_finding(box_signals(images, labels, inside))])


def _by_split(seen: Seen, facts: BoxFacts) -> dict[str, np.ndarray]:
    return {
        split: np.bincount(facts.labels[facts.splits == split], minlength=len(seen.images.classes))
        for split in seen.images.parts
    }


def _counts(seen: Seen, facts: BoxFacts) -> Finding:
    counts = _by_split(seen, facts)
    return Finding(
        name="boxes by class and split",
        status="INFO" if len(facts.images) else "FAIL",
        value={s: dict(zip(seen.images.classes, own.tolist(), strict=True)) for s, own in counts.items()},
        expected="",
        why=", ".join(f"{split} {own.sum():,}" for split, own in counts.items()),
        fix="" if len(facts.images) else "no box is left: check their format, in pixels of the pictures",
    )


def _per_image(seen: Seen, facts: BoxFacts) -> Finding:
    counts = there(seen.images.labels).sum(axis=1)
    bare = _bare(seen)
    many = len(bare) > MANY * len(counts)
    return Finding(
        name="boxes per image",
        status="WARN" if many else "INFO",
        value={"mean": round(float(counts.mean()), 2), "most": int(counts.max()), "without": len(bare)},
        expected=f"at most {MANY:.0%} of the images without a box" if many else "",
        why=f"without a box: {some_of(seen.images.names[bare].tolist())}" if len(bare) else "",
        fix="they teach what is background; check whether their boxes are missing" if len(bare) else "",
    )


def _faults(seen: Seen, facts: BoxFacts, what: str) -> Finding:
    told = [str(fault) for fault in seen.images.box_faults if fault.what == what]
    share = len(told) / max(1, len(told) + len(facts.images))
    gone = what == DEGENERATE
    return Finding(
        name="degenerate boxes" if gone else "boxes outside their picture",
        status=grade(fail=share > MISREAD, warn=told),
        value=some_of(told, LISTED) if told else "none",
        expected="right above left, bottom above top, by a pixel or more" if gone else "inside the picture",
        why=f"{counted(len(told))}, {share:.1%} of all, {'left out' if gone else 'cut off'}" if told else "",
        fix=_format_help(share) if told else "",
    )


def _format_help(share: float) -> str:
    if share <= MISREAD:
        return "correct them in the annotations"
    return "so many suggest another format; give left, top, right, bottom in pixels of the picture"


def _flagged(seen: Seen, facts: BoxFacts, flag: str) -> Finding:
    told = facts.named(seen, flag)
    shown = dict(list(told.items())[:LISTED])
    more = {"...": f"{len(told) - LISTED:,} more in boxes.csv"} if len(told) > LISTED else {}
    count = int(facts.flags[flag].sum())
    return Finding(
        name=f"{flag} boxes" if flag != "given twice" else "boxes given twice",
        status=grade(warn=told),
        value=shown | more if told else "none",
        expected=EXPECTED[flag],
        why=f"{count:,} of {len(facts.images):,} boxes" if told else "",
        fix=HELP[flag] if told else "",
    )


def _bare(seen: Seen) -> np.ndarray:
    """The images without a box."""
    return np.flatnonzero(seen.readable & ~there(seen.images.labels).any(axis=1))
