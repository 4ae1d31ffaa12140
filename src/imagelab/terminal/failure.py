"""Explain a library's error in one sentence, for failures that no check could foresee."""

MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "unable to allocate",
    "cublas_status_alloc_failed",
)
LOST = ("connection closed by peer", "connection reset by peer", "remote process exited", "socket timeout")
SMALLER = (
    "Try a smaller data.batch_size (with trainer.accumulate_grad_batches to make up for it) "
    "or trainer.precision=bf16-mixed."
)
ADVICE = {
    ("shared memory", "bus error"): "Try data.workers=0, or give the machine more shared memory.",
    ("killed by signal: killed",): "The system kills processes when memory runs out: try fewer data.workers.",
    ("not implemented for 'half'", "not implemented for 'bfloat16'"): "Try trainer.precision=32-true.",
    ("no space left", "quota exceeded", "file too large"): "Free some space; the last checkpoint is intact.",
}


def sentence(error: BaseException, smaller: str = SMALLER) -> str:
    """The kind of an error, its first line, and what to try.

    Args:
        error: The error of a library.
        smaller: What to try if memory ran out.

    >>> sentence(OSError(28, "No space left on device"))
    'OSError: [Errno 28] No space left on device. Free some space; the last checkpoint is intact.'
    """
    if any(word in str(error).lower() for word in LOST):
        return "Another process of this run has ended: it was killed, or its machine is gone."
    kind, message = original(error)
    line = next(iter(message.splitlines()), "").strip()
    text = f"{kind}: {line}" if line else kind
    return f"{text.rstrip('.')}. {smaller if out_of_memory(error) else _advice(error)}".strip()


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, that of the device or of the machine."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in MEMORY)


def original(error: BaseException) -> tuple[str, str]:
    r"""The kind and the message of an error; of one from a worker process, those it had there.

    >>> original(OSError("Caught OSError in worker 0.\nTraceback ...\nOSError: a.png is gone"))
    ('OSError', 'a.png is gone')
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines or not lines[0].startswith("Caught "):
        return type(error).__name__, str(error).strip()
    path, _, message = lines[-1].partition(": ")
    return path.rpartition(".")[2], message


def _advice(error: BaseException) -> str:
    whole = str(error).lower()
    return next((advice for words, advice in ADVICE.items() if any(word in whole for word in words)), "")
