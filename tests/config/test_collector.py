"""The garbage collector rests while libraries are imported, and frees what runs leave behind."""

import subprocess
import sys

PROGRAM = """
import gc
from imagelab.config.collector import paused

def collections():
    return sum(generation["collections"] for generation in gc.get_stats())

before = collections()
with paused():
    kept = [[] for _ in range(100_000)]
print("collections:", collections() - before)
print("spared:", gc.get_freeze_count() > 100_000, "on:", gc.isenabled())
try:
    with paused():
        garbage = []
        garbage.append(garbage)
        spared = gc.get_freeze_count()
        raise ValueError
except ValueError:
    del garbage
print("again:", gc.get_freeze_count() - spared, "on:", gc.isenabled(), "freed:", gc.collect() > 0)
gc.disable()
with paused():
    pass
print("off before, on:", gc.isenabled())
"""


def test_it_rests_during_the_pause_and_spares_only_what_the_first_pause_left():
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == [
        "collections: 0",
        "spared: True on: True",
        "again: 0 on: True freed: True",
        "off before, on: False",
    ]
