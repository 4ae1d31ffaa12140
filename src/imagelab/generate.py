# room: generators
"""Run the command `generate`: write images of a trained generator, a folder per class.

imagelab generate run=last count=100
"""

from dataclasses import dataclass
from pathlib import Path

from imagelab import launch
from imagelab.config.schema import Node
from imagelab.problem import Problem, nearest
from imagelab.runs import csv_cells, find
from imagelab.terminal import screen

TABLE = "generated.csv"
ALL = "generated"  # the folder of images without a class


@dataclass(frozen=True, kw_only=True)
class Generate:
    """The root keys of configs/generate.yaml."""

    run: str
    count: int
    classes: list[str | int] | None
    output: str | None
    weights: str | None
    seed: int


def main() -> None:
    """Generate images."""
    launch.run_hydra(start, "generate", Generate)


def start(cfg: Node, _: Path) -> None:
    """Write the images, and a table that records their origin: that they are generated, and how."""
    from PIL import Image

    from imagelab.loading import load_generator

    folder = find.existing(cfg["run"])
    generator = load_generator(folder, cfg["weights"])
    asked = classes_of(cfg, generator.classes, conditional=generator.conditional)
    place = new_folder(Path(cfg["output"]).expanduser() if cfg["output"] else folder / ALL)
    rows = []
    for number, name in enumerate(asked):
        count = cfg["count"] // len(asked) + (number < cfg["count"] % len(asked))
        label = generator.classes.index(name) if generator.conditional else 0
        (place / name).mkdir()
        for k, pixels in enumerate(generator.images(label, count, seed=cfg["seed"])):
            file = Path(name) / f"{k:05d}.png"
            Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(place / file)
            rows.append({"file": file, "label": name, "generated": True, "run": folder, "seed": cfg["seed"]})
    with (place / TABLE).open("w", newline="", encoding="utf-8") as table:
        csv_cells.write_rows(table, ("file", "label", "generated", "run", "seed"), rows)
    screen.say_written(place, after=f": {len(rows):,} images of {len(asked)} classes, listed in {TABLE}")
    screen.say(f"look at   imagelab inspect data=folder data.root={place}")  # room: inspection


def classes_of(cfg: Node, known: list[str], *, conditional: bool) -> list[str]:
    """The classes to make images of.

    Args:
        cfg: Config of the command.
        known: Classes of the generator.
        conditional: Whether it is told classes.

    Raises:
        Problem: A class is unknown or named twice, none can be asked for, or `count` is too small.
    """
    if not conditional and cfg["classes"] is not None:
        raise Problem("classes: this generator is not told classes (model.conditional=false); leave it out")
    asked = [str(name) for name in cfg["classes"] or known] if conditional else [ALL]
    for name in asked:
        if asked.count(name) > 1:
            raise Problem(f"classes: {name!r} is listed {asked.count(name)} times; list each class once")
        if name not in known and conditional:
            raise Problem(f"classes: the generator does not know {name!r}{nearest(name, known)}")
    if cfg["count"] < len(asked):
        raise Problem(f"count: wants {len(asked)} or more, one image per class, got {cfg['count']}")
    return asked


def new_folder(folder: Path) -> Path:
    """Make a folder that must not be there yet, so that no image is overwritten.

    Raises:
        Problem: It is there, or cannot be made.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise Problem(f"output={folder} exists already; name a new folder") from error
    except OSError as error:
        raise Problem(f"output={folder} cannot be written: {error.strerror}") from error
    return folder
