# room: checks
"""Measure the CPU time of whole commands over that of `import torch, lightning`, in the same run.

python benchmarks/cpu_time.py

The default run for one epoch, and `imagelab check` with every default: imports, data and report included.
"""

import argparse
import os
import subprocess
import sys
import tempfile

from ratios import Figure, flag, settle

IMPORTS = ["-c", "import torch, lightning"]
COMMANDS = {
    "default run, one epoch": ["-m", "imagelab.train", "trainer=cpu", "trainer.max_epochs=1"],
    "check": ["-m", "imagelab.check"],
}


def cpu_seconds(words: list[str]) -> float:
    """CPU seconds of a Python process and its children, one thread each."""
    with tempfile.TemporaryDirectory() as folder:
        told = os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
        before = os.times()
        subprocess.run([sys.executable, *words], cwd=folder, check=True, capture_output=True, env=told)
        after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> int:
    """Print both ratios and the seconds; 1 where one got worse."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    flag(parser)
    told = parser.parse_args()
    for words in (IMPORTS, *COMMANDS.values()):
        cpu_seconds(words)  # reads the files once
    seconds: dict[str, list[float]] = {name: [] for name in ("imports", *COMMANDS)}
    for _ in range(told.rounds):
        seconds["imports"].append(cpu_seconds(IMPORTS))
        for name, words in COMMANDS.items():
            seconds[name].append(cpu_seconds(words))
    imports = seconds.pop("imports")
    print(f"import torch, lightning: {min(imports):.2f} CPU s")
    figures = []
    for name, values in seconds.items():
        ratios = [value / base for value, base in zip(values, imports, strict=True)]
        figures += [Figure(name, ratios, "lower"), Figure(f"{name}, CPU s", values, "lower", "s")]
    return settle("cpu_time", figures, record=told.record)


if __name__ == "__main__":
    sys.exit(main())
