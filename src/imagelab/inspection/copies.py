"""Report on copies: those with different labels first, then those that leak from train into val or test."""

from collections import Counter
from pathlib import Path

import numpy as np

from imagelab.config.hydra_internals import quoted, quoted_table
from imagelab.config.schema import Node
from imagelab.finding import Finding, grade
from imagelab.inspection.answer import Answer
from imagelab.inspection.command import FOLDER, on_folder
from imagelab.inspection.duplicates import Duplicates, find_duplicates
from imagelab.inspection.pairs import Pair
from imagelab.inspection.repair import repair
from imagelab.inspection.scan import Seen
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture
from imagelab.pages.table import table
from imagelab.problem import few
from imagelab.runs.csv_cells import Writer

SHOWN = 60  # pairs on the page
NAMED = 20  # pairs in a finding


def copies(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Find copies, write duplicates.csv and, if requested, a repaired split."""
    found = find_duplicates(seen, cfg["features"])
    by_network = bool(cfg["features"] and found.thresholds)
    pairs = sorted(found.pairs, key=lambda pair: _urgency(seen, pair))
    write_pairs(seen, pairs, found.groups, folder / "duplicates.csv")
    findings = [
        _labels(seen, pairs),
        _leak(seen, pairs, found, cfg),
        _within(seen, pairs),
        _how(found, by_network),
    ]
    if cfg["split"] == "repaired":
        findings.append(repair(seen, found.groups, cfg, folder))
    sections = [_section(seen, pairs, by_network)] if pairs else []
    return Answer(findings=findings, sections=sections, marks=_marks(seen, pairs))


def _marks(seen: Seen, pairs: list[Pair]) -> dict[str, list[str]]:
    kinds = {
        "copies with different labels": lambda pair: not _agree(seen, pair),
        "copies across splits": lambda pair: _across(seen, pair),
        "copies within a split": lambda pair: not _across(seen, pair),
    }
    found = {
        name: sorted({i for pair in pairs if fits(pair) for i in pair[:2]}) for name, fits in kinds.items()
    }
    return {name: seen.images.names[places].tolist() for name, places in found.items() if places}


def write_pairs(seen: Seen, pairs: list[Pair], groups: np.ndarray, path: Path) -> None:
    """Write a row per pair to a CSV file."""
    images = seen.images
    heads = [f"{which}_{what}" for what in ("file", "split", "label") for which in ("first", "second")]
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = Writer(file)
        writer.writerow([*heads, "kind", "correlation", "group"])
        for pair in pairs:
            both = pair[:2]
            told = [images.names[i] for i in both] + [images.splits[i] for i in both]
            told += [images.label(i) for i in both]
            writer.writerow([*told, pair.kind, f"{pair.likeness:.4f}", groups[pair.first]])


def _urgency(seen: Seen, pair: Pair) -> tuple[bool, bool, bool, float]:
    return _agree(seen, pair), not _across(seen, pair), pair.kind != "exact", -pair.likeness


def _agree(seen: Seen, pair: Pair) -> bool:
    return bool(np.array_equal(seen.images.labels[pair.first], seen.images.labels[pair.second]))


def _across(seen: Seen, pair: Pair) -> bool:
    return bool(seen.images.splits[pair.first] != seen.images.splits[pair.second])


def _labels(seen: Seen, pairs: list[Pair]) -> Finding:
    differ = [pair for pair in pairs if not _agree(seen, pair)]
    exact = any(pair.kind == "exact" for pair in differ)
    return Finding(
        name="copies with different labels",
        status=grade(fail=exact, warn=differ),
        value=_named(seen, differ) or "none",
        expected="copies have the same label",
        why=f"pairs: {len(differ):,}; in each, a label is wrong, or the image shows both classes"
        if differ
        else "",
        fix="fix the labels; duplicates.csv lists these pairs first" if differ else "",
    )


def _leak(seen: Seen, pairs: list[Pair], found: Duplicates, cfg: Node) -> Finding:
    across = [pair for pair in pairs if _across(seen, pair)]
    kinds = Counter(f"{_between(seen, pair)} {pair.kind}" for pair in across)
    leaked = leaked_share(seen, found.groups)
    exact = any(pair.kind == "exact" for pair in across)
    status = grade(fail=exact, warn=across)
    share = ", ".join(f"{100 * part:.2g}% of {split}" for split, part in leaked.items() if part)
    return Finding(
        name="copies across splits",
        status=status,
        value=dict(kinds) if across else "none",
        expected="no image of val or test has a copy in train",
        why=f"{share} has copies in train: metrics there are too optimistic" if share else "",
        fix=repair_command(cfg) if across else "",
    )


def leaked_share(seen: Seen, groups: np.ndarray) -> dict[str, float]:
    """The share of the images of val and test with a copy in train, by split."""
    splits = seen.images.splits
    of_train = np.unique(groups[splits == "train"])
    return {
        split: float(np.isin(groups[splits == split], of_train).mean())
        for split in seen.images.parts
        if split != "train" and (splits == split).any()
    }


def repair_command(cfg: Node) -> str:
    """The command that makes a split without copies across splits, if the data are a folder."""
    data = cfg["data"]
    if data["_target_"] != FOLDER:
        return "keep in mind that the metrics are too optimistic"
    words = [f"data.group={quoted(data['group'])}"] if data["group"] else []
    words += [f"data.delimiter={data['delimiter']}"] if data["delimiter"] != "auto" else []
    words += [f"data.columns={quoted_table(data['columns'])}"] if data["columns"] else []
    return on_folder("inspect", *words, root=data["root"], manifest=data["manifest"]) + " split=repaired"


def _within(seen: Seen, pairs: list[Pair]) -> Finding:
    inside = [pair for pair in pairs if not _across(seen, pair)]
    kinds = Counter(f"{_between(seen, pair)} {pair.kind}" for pair in inside)
    exact = any(pair.kind == "exact" for pair in inside)
    return Finding(
        name="copies within a split",
        status=grade(warn=exact, info=inside),
        value=dict(kinds) if inside else "none",
        expected="each image once",
        why="copies count several times, in training and in the metrics" if inside else "",
        fix="remove all but one of each group in duplicates.csv" if exact else "",
    )


def _how(found: Duplicates, by_network: bool) -> Finding:
    if found.thresholds is None:
        value, why = "exact copies only", "images below 16 pixels are too small to recognise near copies"
    else:
        value = {"coarse correlation": round(found.thresholds.coarse, 3), "likeness": found.thresholds.fine}
        crops = "a quarter" if by_network else "a fifth"
        why = f"not detected: crops by {crops} or more, wide borders, rotations beyond a few degrees"
    cut = "; there are more pairs than the million kept" if found.cut else ""
    return Finding(name="how copies are told", status="INFO", value=value, expected="", why=why + cut, fix="")


def _between(seen: Seen, pair: Pair) -> str:
    """The splits of a pair in the order train, val, test, which the images of a collection have."""
    one, other = (str(seen.images.splits[index]) for index in pair[:2])
    return one if one == other else f"{one}-{other}"


def _named(seen: Seen, pairs: list[Pair]) -> list[str]:
    images = seen.images
    told = [" = ".join(f"{images.names[i]} ({images.label(i)})" for i in pair[:2]) for pair in pairs]
    return few(told, NAMED)


def _section(seen: Seen, pairs: list[Pair], by_network: bool) -> Section:
    images = seen.images
    rows = []
    for pair in pairs[:SHOWN]:
        both = [Picture(images.pixels(i, 96), str(images.names[i])) for i in pair[:2]]
        labels = " / ".join(dict.fromkeys(images.label(i) for i in pair[:2]))
        rows.append([*both, labels, _between(seen, pair), pair.kind, pair.likeness])
    also = "the mean of the cosine of their features and " if by_network else ""
    after = " at the best stretch" if by_network else ""
    about = (
        "Copies side by side: first those with different labels, then those across splits. Likeness: "
        f"{also}the correlation of their fine structure{after}. `duplicates.csv` lists all pairs."
    )
    heads = ["first", "second", "class", "splits", "kind", "likeness"]
    shown = table(heads, rows, filters=["splits", "kind"], of=len(pairs), budget=250_000)
    return Section("Copies", about, shown)
