# room: checks, finders, sweep, reports
"""Follow the six steps of choosing hyperparameters on real data, and write a page with what each one found.

`make recipe` runs them on the digits; `make recipe ARGS="data=cifar10 model=resnet9"` on anything else.

Source: https://cs231n.github.io/neural-networks-3/, "Babysitting the learning process".
"""

import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from imagelab.pages.page import Section, page
from imagelab.pages.wording import html

PAGE = Path("logs") / "recipe.html"
SHOWN = 4000  # characters of a command's output


class Step(NamedTuple):
    """A step: what it is for, and its command."""

    title: str
    about: str
    words: str


STEPS = (
    Step("1 The loss at chance", "Before training, the loss is that of guessing.", "check fast=true"),
    Step(
        "2 Overfit a little",
        "A network that cannot memorise 20 images has a bug: the training accuracy has to reach 1.",
        "train data.train_limit=20 data.batch_size=full trainer.max_epochs=60 schedule=constant",
    ),
    Step("3 Find the rate", "The largest rate at which the loss still falls fast.", "find_lr"),
    Step("4 Coarse search", "Few epochs, wide ranges, random draws.", "train -m sweep=coarse sweep.trials=8"),
    Step("5 Refine", "More epochs where it was good.", "train -m sweep=refine from=last sweep.trials=4"),
    Step(
        "6 Look at the curves", "What the trials have in common, and what is left to do.", "report sweep=last"
    ),
)


def main(own: list[str]) -> None:
    """Run the steps with further words for all commands that train; write the page."""
    sections = []
    for step in STEPS:
        command, *words = shlex.split(step.words)
        takes = command != "report" and "from=last" not in words
        line = ["imagelab", command, *words, *(own if takes else [])]
        print(f"{step.title}: {shlex.join(line)}", flush=True)
        begun = time.monotonic()
        done = subprocess.run(
            [str(Path(sys.executable).parent / line[0]), *line[1:]],
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - begun
        told = (done.stdout + done.stderr)[-SHOWN:]
        about = f"{step.about} `{shlex.join(line)}`: {seconds:.0f} s, exit status {done.returncode}."
        sections.append(Section(step.title, about, f"<pre>{html(told)}</pre>"))
        if done.returncode not in (0, 1):  # 1: a check has found something
            print(told)
            sys.exit(done.returncode)
    PAGE.parent.mkdir(exist_ok=True)
    summary = "The six steps of choosing hyperparameters, in order, with what each command said."
    PAGE.write_text(page(title="Recipe", summary=summary, findings=[], sections=sections), encoding="utf-8")
    print(f"Written to {PAGE}")


if __name__ == "__main__":
    main(sys.argv[1:])
