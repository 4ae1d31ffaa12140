"""Explain a library's error in one sentence, for failures that no check could foresee."""

MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "unable to allocate")
LOST = ("connection closed by peer", "connection reset by peer", "remote process exited", "socket timeout")
ADVICE = {
    MEMORY: "Try a smaller data.batch_size (with trainer.accumulate_grad_batches to make up for it) "
    "or trainer.precision=bf16-mixed.",
    ("shared memory", "bus error"): "Try data.workers=0, or give the machine more shared memory.",
    ("not implemented for 'half'", "not implemented for 'bfloat16'"): "Try trainer.precision=32-true.",
    ("no space left", "quota exceeded", "file too large"): "Free some space; the last checkpoint is intact.",
}


def sentence(error: BaseException) -> str:
    """The kind of an error, its first line, and what to try.

    >>> sentence(OSError(28, "No space left on device"))
    'OSError: [Errno 28] No space left on device. Free some space; the last checkpoint is intact.'
    """
    if any(word in str(error).lower() for word in LOST):
        return "Another process of this run has ended: it was killed, or its machine is gone."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    if lines and lines[0].startswith("Caught "):  # from a worker: the original error comes last
        told = lines[-1]
    return f"{told.rstrip('.')}. {_advice(error)}".strip()


def _advice(error: BaseException) -> str:
    whole = str(error).lower()
    found = [advice for words, advice in ADVICE.items() if any(word in whole for word in words)]
    return found[0] if found else ADVICE[MEMORY] if isinstance(error, MemoryError) else ""
