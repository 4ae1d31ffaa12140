"""The command `imagelab`: find the requested command and run it."""

import os
import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from platform import python_version

from imagelab.problem import nearest
from imagelab.terminal import screen
from imagelab.terminal.refusal import plainly, refuse
from imagelab.training.own_ranks import run_to_join

COMMANDS = {
    "train": ("train", "check the config, fit, test with the best weights"),
    "evaluate": ("evaluate", "measure a finished run on one of its splits"),
    "predict": ("predict", "predict classes, values or boxes for a file, folder or glob"),
    "embed": ("embed", "compute features: a table, neighbours, a map, search"),  # room: embedding
    "serve": ("serve", "show predictions on a local page: drop a picture"),  # room: serving
    "inspect": ("inspect_data", "examine the data before training"),  # room: inspection
    "pack": ("pack", "write a data set into a few files that are read fast"),  # room: data/arrow
    "check": ("check", "sanity-check a run before you spend hours on it"),  # room: checks
    "find_lr": ("find_lr", "find a learning rate by a range test"),  # room: finders
    "find_batch": ("find_batch", "find the largest batch that fits, and the fastest"),  # room: finders
    "report": ("report", "read the curves of a run, or compare the runs of a sweep"),  # room: reports
    "runs": ("list_runs", "list all runs, or compare some side by side"),  # room: reports
    "generate": ("generate", "make images with a trained generator"),  # room: generators
    "export": ("export", "write a file to deploy, and verify it"),  # room: exporting
}


def main() -> None:
    """`imagelab COMMAND ...`: import only the module of that command and run its `main`."""
    known = {name: entry for name, entry in COMMANDS.items() if find_spec(f"imagelab.{entry[0]}")}
    if sys.argv[1:2] == ["help"] or sys.argv[2:3] == ["help"]:  # help train, or train help
        sys.argv[1:] = [word for word in sys.argv[1:3] if word != "help"] + ["--help"]
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if run_to_join():  # Lightning starts the other ranks of a run with our words, minus the command
        name = "train"
    elif name in ("-h", "--help"):
        print(_overview(known))
        return
    elif "--version" in sys.argv[1:]:
        print(f"imagelab {version('imagelab')}, Python {python_version()}")
        return
    elif name in ("-sc", "--shell-completion", "--shell_completion"):
        name = _completed(known)
    elif name in known:
        del sys.argv[1]
    else:
        refuse(
            [f"{name}: no such command{nearest(name, known) or '; choose from ' + ', '.join(known)}"], None
        )
    with plainly():
        if not any(word.startswith("-") and word not in ("-m", "--multirun") for word in sys.argv[1:]):
            screen.wait("loading")
        import_module(f"imagelab.{known[name][0]}").main()


def _overview(known: dict[str, tuple[str, str]]) -> str:
    lines = [f"  imagelab {name:<12}{about}" for name, (_, about) in known.items()]
    return "\n".join(
        ["Train networks on images.", "", *lines, "", "imagelab COMMAND --help lists what a command takes."]
    )


def _completed(known: dict[str, tuple[str, str]]) -> str:
    """Shell completion: return the command in the line to complete, and remove it from that line."""
    line = os.environ.get("COMP_LINE", "")
    before, name, after = [*line.split(maxsplit=2), "", "", ""][:3]
    if name in known and (after or line.endswith(" ")):
        from imagelab.config.meant import list_completions

        if (words := list_completions(after, name)) is not None:
            print("\n".join(words))
            sys.exit(0)
        os.environ["COMP_LINE"] = f"{before} {after}"
        os.environ["COMP_POINT"] = str(len(before) + 1 + len(after))
    elif line:
        print("\n".join(command for command in known if command.startswith(name)))
        sys.exit(0)
    return name or "train"
