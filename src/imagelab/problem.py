"""A mistake that a user can make, told in one sentence."""


class Problem(Exception):  # noqa: N818 - it is what the user reads
    """Ends a command without a stack trace: the sentence names what is wrong, what was expected and what to do."""
