"""Does each class have enough images, or boxes, to be measured?"""

from collections.abc import Mapping

import numpy as np

from imagelab.finding import Finding, grade
from imagelab.problem import some_of

FEWEST = 10  # images or boxes of a class: one more or less changes its metric by up to 10 points


def to_measure(
    counts: Mapping[str, np.ndarray], classes: list[str], *, of: str = "images", every: bool = True
) -> Finding:
    """Name the classes that a split has too few of; fail if it has none.

    Args:
        counts: Split -> how many of each class, (K,).
        classes: Names of the K classes.
        of: What is counted.
        every: Whether each class has to be in each split; else a class without any is left out here.
    """
    few = {}
    none = False
    for split, own in counts.items():
        places = np.flatnonzero((own < FEWEST) & (every | (own > 0)))
        none |= bool((own[places] == 0).any())
        if len(places):
            few[split] = some_of([f"{classes[k]} ({own[k]})" for k in places])
    why = f"with so few {of}, one more or less changes the metric of a class by over 10 points" if few else ""
    return Finding(
        name=f"{of} to measure a class with",
        status=grade(fail=none, warn=few),
        value=few or f"{FEWEST} or more each",
        expected=f"{FEWEST} or more of each class in {' and '.join(counts) or 'val and test'}",
        why=f"a class without {of} is never learnt or never measured" if none else why,
        fix="add images, or hold out more: data.val_fraction, data.test_fraction" if few else "",
    )
