"""Write tests/snapshots: the whole config of the default run and of every experiment.

`make snapshots` writes them anew; a changed default shows in the diff of every experiment that it touches.
"""

from pathlib import Path

from omegaconf import OmegaConf

from imagelab.config import menu
from imagelab.config.compose import compose

FOLDER = Path(__file__).parents[1] / "tests" / "snapshots"
DEFAULT = "default"


def names() -> list[str]:
    """The runs that have a snapshot."""
    return [DEFAULT, *menu.choices("experiment")]


def snapshot(name: str) -> str:
    """The whole config of a run, as YAML."""
    composed = compose("train", [] if name == DEFAULT else [f"experiment={name}"])
    if composed.cfg is None or composed.problems:
        raise ValueError(f"{name} cannot be composed: {'; '.join(composed.problems)}")
    return OmegaConf.to_yaml(composed.cfg)


def write() -> None:
    """Write all snapshots, and remove those of experiments that are gone."""
    contents = {FOLDER / f"{name}.yaml": snapshot(name) for name in names()}
    for path in set(FOLDER.glob("*.yaml")) - set(contents):
        path.unlink()
    for path, content in contents.items():
        path.write_text(content, encoding="utf-8")
    print(f"{len(contents)} snapshots in {FOLDER}; look at `git diff`.")


if __name__ == "__main__":
    write()
