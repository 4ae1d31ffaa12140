"""Run the command `serve`: a page on this machine that shows what a network says of a picture.

imagelab serve run=last
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagelab import launch
from imagelab.config.schema import Node
from imagelab.data.signals import needed
from imagelab.exporting.formats import is_exported, load_exported  # room: exporting
from imagelab.problem import Problem
from imagelab.terminal import screen

if TYPE_CHECKING:  # room: embedding
    from imagelab.serving.near import Near  # room: embedding

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Serve:
    """The root keys of configs/serve.yaml."""

    run: str
    port: int
    set: float
    score: float | None  # room: detection
    explain: bool | None  # room: explaining
    table: str | None  # room: embedding
    neighbours: int  # room: embedding
    megabytes: float
    max_pixels: int
    seconds: float


def main() -> None:
    """Serve a network on a local page."""
    launch.run_hydra(start, "serve", Serve)


def start(cfg: Node, _: Path) -> None:
    """Answer requests until Ctrl-C."""
    from imagelab.pages.local_server import HOST, serve_until_stopped
    from imagelab.serving.answers import Answers
    from imagelab.serving.page import serve

    screen.keep(Path(os.devnull))
    predictor = _predictor(cfg["run"])
    if predictor.preprocess.signals:
        raise Problem(needed(predictor.preprocess.signals))
    answers = Answers(
        predictor,
        level=_level(predictor, cfg["set"]),
        max_pixels=cfg["max_pixels"],
        score=cfg["score"],  # room: detection
        explain=_explain(predictor, cfg["explain"]),  # room: explaining
        near=_near(predictor, cfg),  # room: embedding
    )
    server = serve(answers, cfg["port"], longest=int(cfg["megabytes"] * MEGABYTE), seconds=cfg["seconds"])
    url = f"http://{HOST}:{server.server_port}/"
    screen.say(f"JSON: curl --data-binary @PICTURE {url}predict")
    screen.say(f"Open {url} and drop a picture (Ctrl-C stops)")
    serve_until_stopped(server)


def _predictor(run: str) -> Any:
    from imagelab.loading import load_fast

    if is_exported(run):  # room: exporting
        return load_exported(Path(run).expanduser())
    return load_fast(run)


def _level(predictor: Any, level: float) -> float | None:
    """The promised coverage of sets of classes; None if this network has none."""
    if getattr(predictor, "certainty", None) is not None:
        return level
    if getattr(predictor.task, "predicts", "") == "classes":
        screen.say("No sets of classes: the network does not come with what they need to know of val")
    return None


# room: explaining
def _explain(predictor: Any, asked: bool | None) -> bool:
    """Whether there are heat maps.

    Raises:
        Problem: They are asked for, and this network, or this installation, has none.
    """
    from imagelab.serving.answers import why_no_heat_map

    why = why_no_heat_map(predictor)
    if why and asked:
        raise Problem(f"explain: {why}")
    if why and asked is None:
        screen.say(f"No heat maps: {why}")
    return not why and asked is not False


# end
# room: embedding
def _near(predictor: Any, cfg: Node) -> "Near | None":
    """What finds the nearest pictures; None if there are no features.

    Raises:
        Problem: A table is asked for, and cannot be used.
    """
    from imagelab.embedding.place import TABLE, folder_for
    from imagelab.serving.near import near_of

    if cfg["table"]:
        return near_of(predictor, Path(cfg["table"]).expanduser(), cfg["neighbours"])
    table = folder_for(cfg["run"]) / TABLE
    if not table.is_file():
        return None
    try:
        return near_of(predictor, table, cfg["neighbours"])
    except Problem as problem:
        screen.say(f"No nearest pictures: {problem}")
        return None


# end
if __name__ == "__main__":
    main()
