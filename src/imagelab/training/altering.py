"""Find the tricks that change gradients; short trial runs keep only these."""

from collections.abc import Sequence

from lightning import Callback

ALTERS_GRADIENTS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")


def altering(tricks: Sequence[object]) -> list[Callback]:
    """The tricks that change gradients before a step; all others only observe, or need whole epochs."""
    called = [trick for trick in tricks if isinstance(trick, Callback)]
    return [
        trick
        for trick in called
        if any(getattr(type(trick), hook) is not getattr(Callback, hook) for hook in ALTERS_GRADIENTS)
    ]
