"""Find the tricks that change gradients: short trial runs keep only these, and clipping comes last."""

from collections.abc import Sequence

from lightning import Callback

from imagelab.config.facts import said_by

ALTERS_GRADIENTS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")


def altering(tricks: Sequence[object]) -> list[Callback]:
    """The tricks that change gradients before a step; all others only observe, or need whole epochs."""
    called = [trick for trick in tricks if isinstance(trick, Callback)]
    return [
        trick
        for trick in called
        if any(getattr(type(trick), hook) is not getattr(Callback, hook) for hook in ALTERS_GRADIENTS)
    ]


def clipping_last(callbacks: Sequence[Callback]) -> list[Callback]:
    """The callbacks in their order, but those that clip gradients after all that may measure them."""
    return sorted(callbacks, key=lambda callback: said_by(callback).clips_gradients)
