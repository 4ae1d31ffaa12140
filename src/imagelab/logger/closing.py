"""Close all loggers of a run after the test metrics; Lightning's own `finalize` comes before them."""

from collections.abc import Iterable

from lightning.pytorch.loggers import Logger


def close_all(loggers: Iterable[Logger], *, failed: bool) -> dict[str, str]:
    """Write pending data, tell the servers how the run ended, and return its pages there by server."""
    pages: dict[str, str] = {}
    for logger in loggers:
        close = getattr(logger, "close", None)
        if close is not None:
            close(failed=failed)
        else:
            logger.finalize("failed" if failed else "success")
        pages |= getattr(logger, "pages", {})
    return pages
