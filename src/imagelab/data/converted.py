"""Convert what the network sees to the precision of a run."""

from collections.abc import Callable
from typing import Any

from imagelab.contracts import Inputs


def converted(inputs: Inputs, convert: Callable[[Any], Any]) -> Inputs:
    """Inputs with images in the precision of a run; targets never lose digits.

    Args:
        inputs: Images and their targets.
        convert: Function of the precision plugin; bf16-true wants bf16.
    """
    targets = convert(inputs.targets)
    if targets.element_size() < inputs.targets.element_size():  # in bf16, 1998 is 2000
        targets = inputs.targets
    return inputs._replace(images=convert(inputs.images), targets=targets)
