"""Convert lengths that are given in pixels, or as a share of the side."""


def pixels(length: float, side: int) -> int:
    """A length in pixels; below 1 it is given as a share of the side, and rounded down.

    >>> pixels(0.125, 32), pixels(4, 32)
    (4, 4)
    """
    return int(length * side if length < 1 else length)
