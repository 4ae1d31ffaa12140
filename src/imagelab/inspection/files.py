"""Which files are unreadable, unusual, or not pictures at all?"""

from collections import Counter
from pathlib import Path
from typing import Any

from imagelab.config.schema import Node
from imagelab.data.decode import read_file
from imagelab.finding import Finding, grade
from imagelab.inspection.answer import Answer
from imagelab.inspection.look import kind_of
from imagelab.inspection.scan import Seen
from imagelab.inspection.walk import Walk
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture
from imagelab.pages.table import table

LISTED = 100  # names in a finding; images.csv has all
SHOWN = 200  # rows on the page
PICTURED = 40  # rows with a picture
COMMON = 0.2  # share of files above which a trait is typical of the set, not odd
FLAT = 0.004  # one grey level
ONE_CHANNEL = {"grey", "black and white"}  # traits of files that store no colours
PICTURES = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")


def files(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Report unreadable and odd files, and those that are ignored."""
    odd = oddities(seen)
    findings = [_readable(seen, cfg), _odd(seen, odd), _kinds(seen)]
    found = seen.images.walk
    if found is not None:
        findings += [_layout(found), _strays(found)]
    rows = _rows(seen, odd)
    about = "Unreadable files stop training, unless `data.on_bad_image=skip` leaves them out."
    section = Section(
        "Files",
        about,
        table(
            ["file", "split", "class", "what", "picture"],
            rows,
            filters=["split", "class"],
            of=len(seen.faults) + len(odd),
        ),
    )
    marks: dict[str, list[str]] = {}
    for index, words in (dict.fromkeys(seen.faults, ("cannot be read",)) | odd).items():
        for word in words:
            marks.setdefault(word, []).append(str(seen.images.names[index]))
    return Answer(findings=findings, sections=[section] if rows else [], marks=marks)


def oddities(seen: Seen) -> dict[int, tuple[str, ...]]:
    """Unusual traits of readable files by index, rarest first; traits that many files share do not count."""
    count = max(1, int(seen.readable.sum()))
    times = Counter(word for words in seen.odd.values() for word in words)
    kinds = Counter(kind for kind in seen.kinds[seen.readable].tolist() if kind)
    rare = {kind for kind, n in kinds.items() if n <= COMMON * count}
    grey = set() if _grey(seen).mean() > COMMON else set(_grey(seen).nonzero()[0].tolist())
    found = {}
    for index in seen.readable.nonzero()[0].tolist():
        words = [word for word in seen.odd.get(index, ()) if times[word] <= COMMON * count or count < 10]
        kind = str(seen.kinds[index])
        words += [f"a {kind} among {kinds.most_common(1)[0][0]} files"] if kind in rare else []
        words += ["one colour only"] if seen.measures["contrast"][index] < FLAT else []
        one_channel = ONE_CHANNEL & {*seen.odd.get(index, ())}
        words += ["grey, stored as colour"] if index in grey and not one_channel else []
        if words:
            found[index] = tuple(words)
    times = Counter(word for words in found.values() for word in words)
    return dict(sorted(found.items(), key=lambda item: min(times[word] for word in item[1])))


def _grey(seen: Seen) -> Any:
    """(N,) bool: readable images without colour."""
    return seen.readable & (seen.measures["chroma"] < 0.04)


def _readable(seen: Seen, cfg: Node) -> Finding:
    skipped = "on_bad_image" in cfg["data"] and cfg["data"]["on_bad_image"] == "skip"
    bad = {str(seen.images.names[index]): why for index, why in sorted(seen.faults.items())}
    fix = "fix or remove them" + ("" if skipped else ", or leave them out with data.on_bad_image=skip")
    return Finding(
        name="files that can be read",
        status=grade(fail=bad and not skipped, warn=bad),
        value=_first(bad) if bad else f"all {len(seen.images):,}",
        expected="every file",
        why=f"{len(bad):,} of {len(seen.images):,} cannot be read" if bad else "",
        fix=fix if bad else "",
    )


def _odd(seen: Seen, odd: dict[int, tuple[str, ...]]) -> Finding:
    told = {str(seen.images.names[index]): "; ".join(words) for index, words in odd.items()}
    return Finding(
        name="files unlike the others",
        status="WARN" if odd else "OK",
        value=_first(told) if told else "none",
        expected="one format, one colour mode, a single frame, stored upright",
        why=_summary(odd),
        fix="look at them: the page shows how they are read" if odd else "",
    )


def _summary(odd: dict[int, tuple[str, ...]]) -> str:
    times = Counter(word for words in odd.values() for word in words)
    told = "; ".join(f"{count:,} x {word}" for word, count in times.most_common(8))
    return told + ("; ..." if len(times) > 8 else "")


def _kinds(seen: Seen) -> Finding:
    kinds = Counter(kind or "in memory" for kind in seen.kinds[seen.readable].tolist())
    sizes = Counter(f"{width} x {height}" for width, height in seen.sizes[seen.readable].tolist())
    return Finding(
        name="formats and sizes",
        status="INFO",
        value={"formats": dict(kinds.most_common()), "sizes": dict(sizes.most_common(10))},
        expected="",
        why=f"{len(sizes):,} different sizes" if len(sizes) > 1 else "all have the same size",
        fix="",
    )


def _layout(found: Walk) -> Finding:
    return Finding(
        name="data=folder takes the folder",
        status="FAIL" if found.refusal else "OK",
        value=found.refusal or "yes",
        expected="a folder per class, each with pictures, the same classes in every split",
        why="training would not start" if found.refusal else "",
        fix="fix the folder as the message says" if found.refusal else "",
    )


def _strays(found: Walk) -> Finding:
    told = {_below(found.root, path): _stray(path) for path in sorted(found.strays)}
    hidden = [name for name, what in told.items() if what.startswith("a picture")]
    return Finding(
        name="files passed over",
        status=grade(warn=hidden, info=told),
        value=_first(told) if told else "none",
        expected="pictures only",
        why=f"{len(hidden)} of them are pictures without the file ending of a picture" if hidden else "",
        fix="rename them with the ending of their format" if hidden else "",
    )


def _stray(path: str) -> str:
    try:
        kind = kind_of(read_file(path, 256))
    except OSError as error:
        return error.strerror or str(error)
    return f"a picture ({kind}), ignored" if kind in PICTURES else "not a picture"


def _below(root: Path, path: str) -> str:
    return path.removeprefix(f"{root}/")


def _first(told: dict[str, str]) -> dict[str, str]:
    if len(told) <= LISTED:
        return told
    return dict(list(told.items())[:LISTED]) | {"...": f"{len(told) - LISTED:,} more in images.csv"}


def _rows(seen: Seen, odd: dict[int, tuple[str, ...]]) -> list[list[Any]]:
    images = seen.images
    words = seen.faults | {index: "; ".join(told) for index, told in odd.items()}
    rows = []
    for place, index in enumerate(list(words)[:SHOWN]):
        shown = None
        if index not in seen.faults and place < PICTURED:
            shown = Picture(images.pixels(index, 96), "")
        label = images.label(index)
        rows.append([str(images.names[index]), str(images.splits[index]), label, words[index], shown])
    return rows
