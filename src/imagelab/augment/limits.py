"""Check the settings of augmentations: bounds, and lengths in pixels or as a share of the side."""

from imagelab.problem import Problem


def pixels(length: float, side: int) -> int:
    """A length in pixels; below 1 it is given as a share of the side, and rounded down.

    >>> pixels(0.125, 32), pixels(4, 32)
    (4, 4)
    """
    return int(length * side if length < 1 else length)


def check_length(name: str, length: float) -> None:
    """Refuse a length that is neither a share nor a whole number of pixels."""
    if length < 0 or (length >= 1 and length != int(length)):
        raise Problem(f"{name} must be a share of the side in [0, 1) or whole pixels >= 1, got {length}")


def check_alpha(mix: str, alpha: float) -> None:
    """Refuse an alpha for which Beta(alpha, alpha) does not exist."""
    if alpha <= 0:
        raise Problem(f"augment.{mix}.alpha must be above 0, got {alpha:g}; to turn it off, leave {mix} out")


def check_within(name: str, value: float, low: float, high: float) -> None:
    """Refuse a value outside [low, high]."""
    if not low <= value <= high:
        raise Problem(f"{name} must lie in [{low:g}, {high:g}], got {value:g}")


def check_range(name: str, bounds: tuple[float, float], low: float, high: float) -> None:
    """Refuse two bounds that are out of order or outside [low, high]."""
    if len(bounds) != 2 or not low <= bounds[0] <= bounds[1] <= high:
        raise Problem(f"{name} must be two rising numbers within [{low:g}, {high:g}], got {list(bounds)}")
