"""Draw the pictures of a run for the README: its terminal output and the top of its report.

    .venv/bin/python scripts/run_pictures.py

Runs `imagelab train` in a temporary folder, and writes run.svg and report.png to docs/pictures.
The screenshot needs Chromium (apt-get install chromium).
"""

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COLUMNS = 104  # width of the terminal, in characters
SHOWN = 3  # epochs before those that are left out
WINDOW = (1280, 830)  # size of the browser window, in pixels
COLOURS = 128  # palette of the screenshot; keeps it small


def main() -> None:
    """Train once, then write both pictures."""
    with tempfile.TemporaryDirectory() as place:
        command = [Path(sys.executable).with_name("imagelab"), "train"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
        (FOLDER / "run.svg").write_text(terminal(done.stdout), encoding="utf-8")
        (page,) = Path(place).glob("logs/train/*/report.html")
        screenshot(page, FOLDER / "report.png")


def terminal(output: str) -> str:
    """The SVG of a terminal window with the command `imagelab train` and its output."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ imagelab train", style="bold"))
    for line in shortened(output.splitlines()):
        console.print(styled(line), soft_wrap=False, overflow="ellipsis", no_wrap=True)
    console.print()  # the SVG cuts the descenders of its last line off
    return console.export_svg(title="imagelab train", unique_id="run")


def shortened(lines: list[str]) -> list[str]:
    """The lines without those of the epochs in the middle.

    >>> shortened([f"epoch {i}" for i in range(9)] + ["status"])
    ['epoch 0', 'epoch 1', 'epoch 2', '…', 'epoch 8', 'status']
    """
    epochs = [i for i, line in enumerate(lines) if line.startswith("epoch ")]
    first, last = epochs[SHOWN], epochs[-1]
    return [*lines[:first], "…", *lines[last:]]


def styled(line: str) -> Text:
    """The line with its label in bold; labels are set off by two spaces.

    >>> styled("verdict  healthy").spans
    [Span(0, 7, 'bold')]
    """
    label, gap, rest = line.partition("  ")
    plain = not gap or label.startswith("epoch")
    return Text(line) if plain else Text.assemble((label, "bold"), gap, rest)


def screenshot(page: Path, target: Path) -> None:
    """Write the top of an HTML page as a PNG with a reduced palette."""
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None:
        sys.exit("No Chromium for the picture of the report: apt-get install chromium")
    raw = page.with_name("raw.png")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = f"--window-size={WINDOW[0]},{WINDOW[1]}"
    subprocess.run(
        [browser, *options, size, f"--screenshot={raw}", page.absolute().as_uri()],
        check=True,
        capture_output=True,
    )
    Image.open(raw).convert("RGB").quantize(COLOURS).save(target, optimize=True)


if __name__ == "__main__":
    main()
