"""The command `imagelab`: find the command asked for, check its config, start it as a Hydra application."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from imagelab.problem import Problem, nearest

Node = dict[str, Any]
Task = Callable[[Node, Path], float | None]

COMMANDS = {
    "train": ("train", "check the config, fit, test with the best weights"),
    "evaluate": ("evaluate", "the metrics of a finished run"),
    "predict": ("predict", "a file, folder or glob -> class and probabilities"),
    "inspect": ("inspect_data", "know the data before training on them"),
    "check": ("check", "try a training run out before it costs a night"),
    "find_lr": ("find_lr", "find a learning rate by a range test"),
    "find_batch": ("find_batch", "find the largest batch that fits, and the fastest"),
    "report": ("report", "read the curves of a run, or compare the runs of a sweep"),
    "export": ("export", "write a file to deploy, and verify it"),
}
HEAD = "This run cannot start:"


def main() -> None:
    """`imagelab COMMAND ...`: import the module of the command only, and run its `main`."""
    rejoin()
    known = {name: entry for name, entry in COMMANDS.items() if find_spec(f"imagelab.{entry[0]}")}
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print(_overview(known))
        return
    if name in ("-sc", "--shell-completion", "--shell_completion"):
        name = _completed(known)
    elif name in known:
        del sys.argv[1]
    else:
        refuse([f"{name}: no such command{nearest(name, known) or '; there are ' + ', '.join(known)}"], None)
    with plainly():
        import_module(f"imagelab.{known[name][0]}").main()


def rejoin() -> None:
    """Whatever the words say: a process that Lightning started as a further rank of a run joins that run."""
    run = os.environ.get("IMAGELAB_RUN")
    if run and os.environ.get("LOCAL_RANK", "0") != "0":
        from imagelab.train import join

        join(run)
        sys.exit(0)


def run_hydra(task: Task, command: str = "train", root: type | None = None) -> None:
    """Check the words of the command line, then call `task(config, run folder)` as a Hydra application.

    Args:
        task: What the command does; its result is what a sweep compares.
        command: The root config, configs/<command>.yaml.
        root: A dataclass, its keys and their types; None: those of a training run.
    """
    rejoin()
    if {"-h", "--help"} & set(sys.argv[1:]):
        from imagelab import answers

        with plainly():
            print(answers.text(command, sys.argv[1:]))
        return
    from imagelab import launch

    launch.run(task, command, root)


@contextmanager
def plainly() -> Iterator[None]:
    """Tell a Problem in its sentence, exit status 2; after Ctrl-C no trace of the stack, exit status 130."""
    try:
        yield
    except Problem as problem:
        refuse(str(problem).splitlines(), None)
    except KeyboardInterrupt:
        from imagelab import run_folder

        run_folder.discard_empty()
        sys.exit(130)


def refuse(sentences: list[str], head: str | None = HEAD) -> NoReturn:
    """Say what is wrong, a line each, and end with exit status 2."""
    from imagelab import screen

    screen.complain(sentences, head)
    sys.exit(2)


def _overview(known: dict[str, tuple[str, str]]) -> str:
    lines = [f"  imagelab {name:<12}{about}" for name, (_, about) in known.items()]
    return "\n".join(
        ["Train image classifiers.", "", *lines, "", "imagelab COMMAND --help says what a command takes."]
    )


def _completed(known: dict[str, tuple[str, str]]) -> str:
    """Shell completion: the command in the line to complete, which is taken out of that line."""
    line = os.environ.get("COMP_LINE", "")
    before, name, after = [*line.split(maxsplit=2), "", "", ""][:3]
    if name in known and (after or line.endswith(" ")):
        os.environ["COMP_LINE"] = f"{before} {after}"
        os.environ["COMP_POINT"] = str(len(before) + 1 + len(after))
    elif line:
        print("\n".join(command for command in known if command.startswith(name)))
        sys.exit(0)
    return name or "train"
