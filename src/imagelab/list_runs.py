"""Run the command `runs`: list every run below logs/, with what it changed and reached; compare some of them.

imagelab runs sort=val/accuracy where='val/accuracy>0.9 and optimizer=sgd'
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from imagelab import launch
from imagelab.config.schema import Node
from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.terminal import screen
from imagelab.terminal.summary import near


@dataclass(frozen=True, kw_only=True)
class ListRuns:
    """The root keys of configs/runs.yaml."""

    where: str | None
    sort: str | None
    compare: list[str] | None
    output: str


def main() -> None:
    """List runs, or compare some."""
    sys.argv[1:] = [_quoted(word) for word in sys.argv[1:]]
    launch.run_hydra(start, "runs", ListRuns)


def start(cfg: Node, _: Path) -> None:
    """Print the table; write it as runs.csv and runs.html, or a comparison as comparison.html."""
    from imagelab.reports.runs import lines, page
    from imagelab.reports.runs.conditions import conditions
    from imagelab.reports.runs.listed import chosen, collect, named

    where = conditions(cfg["where"]) if cfg["where"] else []
    runs, unreadable = collect()
    screen.complain(unreadable)
    if not runs:
        raise Problem("there is no run below logs/ yet; `imagelab train` makes one.")
    output = Path(cfg["output"]).expanduser()
    if cfg["compare"] is not None:
        if len(cfg["compare"]) < 2 or where or cfg["sort"]:
            raise Problem(f"compare: wants two runs or more and no other key, got {cfg['compare']}")
        some = named(runs, cfg["compare"])
        screen.say(*lines.comparison(some))
        _write(output / "comparison.html", page.side_by_side(some))
        return
    shown = chosen(runs, where, cfg["sort"])
    about = f"{len(shown):,} of {len(runs):,} runs" + (f" with {cfg['where']}" if where else "")
    screen.say(*lines.overview(shown), f"{about}.")
    _write(output / "runs.csv", lines.as_csv(shown))
    _write(output / "runs.html", page.overview(shown, f"{about}."))


def _quoted(word: str) -> str:
    """A condition in quotes, since Hydra's grammar has no > and <.

    >>> _quoted("where=seed>0"), _quoted("sort=seed"), _quoted("where=null")
    ('where="seed>0"', 'sort=seed', 'where=null')
    """
    key, _, text = word.partition("=")
    free = key == "where" and text[:1] not in ("", "'", '"') and text != "null"
    return f"{key}={json.dumps(text)}" if free else word


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, text)
    except OSError as error:
        raise Problem(f"output: {path} cannot be written: {error.strerror or error}") from error
    screen.say(f"written: {near(path)}")


if __name__ == "__main__":
    main()
