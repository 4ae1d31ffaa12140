"""What the fork server of `tests/runs_of_the_command.py` does once, so that no run has to do it again.

Each run that it forks finds the package imported, its configs read and its sources parsed, as a test in
its own process does. How a command starts by itself is tested in `tests/test_startup.py`.
"""

import gc
import importlib

from imagelab.config.compose import compose
from imagelab.config.validate import quick_problems
from tests.composing import compose_each_list_once

MODULES = [
    "hydra.main",
    "sklearn.datasets",
    "sklearn.metrics",
    "imagelab.build",
    "imagelab.predictor",
    "imagelab.reports.of_run",  # room: reports
    "imagelab.train",
]

for module in MODULES:
    importlib.import_module(module)
compose_each_list_once()
quick_problems(compose("train", ["trainer=cpu"]).cfg or {})
gc.freeze()  # the garbage collector of a run need not go through all that was imported
