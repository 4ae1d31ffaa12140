"""Run the command `embed`: features of pictures as a table, nearest neighbours, a map, search by example.

imagelab embed run=weights source=photos/ query=new.jpg
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imagelab import launch
from imagelab.config.schema import Node
from imagelab.data.pictures import pictures
from imagelab.embedding.place import FOLDER, TABLE, folder_for
from imagelab.finding import Finding, grade
from imagelab.problem import Problem, few
from imagelab.runs.csv_cells import Writer
from imagelab.terminal import screen

if TYPE_CHECKING:
    from imagelab.embedding.embedded import Embedded
    from imagelab.embedding.neighbours import Nearest
    from imagelab.pages.page import Section

NEIGHBOURS = "neighbours.csv"
NAMED = 10  # unreadable files in a finding


@dataclass(frozen=True, kw_only=True)
class Embed:
    """The root keys of configs/embed.yaml."""

    run: str
    source: str
    query: str | None
    output: str | None
    neighbours: int
    map: Literal["tsne", "pca"] | None
    most: int
    batch_size: int
    seed: int


def main() -> None:
    """Compute features of pictures."""
    launch.run_hydra(start, "embed", Embed)


def start(cfg: Node, _: Path) -> None:
    """Write features.parquet, neighbours.csv, embedding.html and embedding.json; print what a query finds."""
    stored = Path(cfg["source"]).suffix == ".parquet"
    paths = [] if stored else pictures(cfg["source"])[0]
    asked = pictures(cfg["query"])[0] if cfg["query"] else []
    folder = Path(cfg["output"]).expanduser() if cfg["output"] else folder_for(cfg["run"])
    _embed(cfg, folder, paths, asked)


def _embed(cfg: Node, folder: Path, paths: list[Path], asked: list[Path]) -> None:
    from imagelab.embedding.embedded import embed, read_table_of, write_table
    from imagelab.embedding.neighbours import nearest
    from imagelab.embedding.sections import map_section
    from imagelab.loading import load_fast
    from imagelab.pages.publish import publish

    screen.keep(Path(os.devnull))
    predictor = load_fast(cfg["run"])
    screen.wait("computing features")
    if paths:
        embedded, unreadable = embed(predictor, paths, cfg["batch_size"])
    else:
        embedded = read_table_of(predictor, Path(cfg["source"]).expanduser(), "source")
        unreadable = []
    if len(embedded) < 2:
        raise Problem(f"source={cfg['source']}: wants at least 2 readable pictures, got {len(embedded)}")
    found = nearest(embedded.features, None, cfg["neighbours"])
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / TABLE, embedded)
    write_neighbours(folder / NEIGHBOURS, embedded, found)
    queries, missing = embed(predictor, asked, cfg["batch_size"])
    sections = _looked_up(queries, embedded, cfg["neighbours"])
    sections += [map_section(embedded, cfg["map"], cfg["most"], cfg["seed"])] if cfg["map"] else []
    findings = [_count(embedded, cfg["run"]), *_agreement(embedded, found), _unreadable(unreadable + missing)]
    title = f"Features of {cfg['source']}"
    summary = f"{len(embedded):,} pictures, {embedded.features.shape[1]:,} features each, by {cfg['run']}."
    publish(folder, FOLDER, title=title, summary=summary, findings=findings, sections=sections)
    screen.say_written(folder / TABLE)


def _looked_up(queries: "Embedded", embedded: "Embedded", count: int) -> "list[Section]":
    """Print the nearest pictures of each query, and show them in a section; nothing without queries."""
    from imagelab.embedding.neighbours import nearest
    from imagelab.embedding.sections import query_section

    if not len(queries):
        return []
    answers = nearest(embedded.features, queries.features, count)
    for query, places, likeness in zip(queries.files, answers.places, answers.similarity, strict=True):
        screen.say(f"{query} is most like")
        near = zip(places.tolist(), likeness.tolist(), strict=True)
        screen.say(*[f"  {value:.3f}  {embedded.files[place]}" for place, value in near])
    return [query_section(queries.files, answers, embedded)]


def write_neighbours(path: Path, embedded: "Embedded", found: "Nearest") -> None:
    """Write a row per picture and neighbour, the nearest first."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = Writer(file)
        writer.writerow(["file", "rank", "neighbour", "similarity"])
        for name, places, likeness in zip(embedded.files, found.places, found.similarity, strict=True):
            for rank, (place, value) in enumerate(zip(places.tolist(), likeness.tolist(), strict=True), 1):
                writer.writerow([name, rank, embedded.files[place], f"{value:.6f}"])


def _count(embedded: "Embedded", run: str) -> Finding:
    value = {"pictures": len(embedded), "features": embedded.features.shape[1]}
    why = f"The input of the last layer of {run}."
    return Finding(name="features", status="INFO", value=value, expected="", why=why, fix="")


def _agreement(embedded: "Embedded", found: "Nearest") -> list[Finding]:
    """How often the nearest picture lies in the same folder; nothing if there is only one folder."""
    folders = embedded.folders
    counts = {str(name): int((folders == name).sum()) for name in dict.fromkeys(folders)}
    if len(counts) < 2:
        return []
    same = float((folders[found.places[:, 0]] == folders).mean())
    chance = sum(count * (count - 1) for count in counts.values()) / (len(folders) * (len(folders) - 1))
    return [
        Finding(
            name="nearest picture in the same folder",
            status="INFO",
            value=round(same, 4),
            expected=f"more than {chance:.3f}, the share by chance",
            why=f"Share of pictures whose nearest one lies in the same of {len(counts)} folders.",
            fix="",
        )
    ]


def _unreadable(files: list[tuple[Path, str]]) -> Finding:
    return Finding(
        name="unreadable files",
        status=grade(warn=files),
        value=few([f"{path}: {why}" for path, why in files], NAMED) or "none",
        expected="none",
        why="They are left out." if files else "",
        fix="",
    )


if __name__ == "__main__":
    main()
