"""Turn values and texts into short words for reports, harmless whatever a file is called."""

import re
from html import escape
from typing import Any

SPACES = " \n\t"


def words(value: Any, limit: int = 400) -> str:
    """A value in words, cut after `limit` letters.

    >>> words(0.123456), words(60000), words([1, None, True]), words({"cat": 0.5})
    ('0.1235', '60,000', '1, none, yes', 'cat: 0.5')
    """
    text = _words(value)
    return text if len(text) <= limit else f"{text[: limit - 2].rstrip()} …"


def printable(text: str) -> str:
    r"""Text that can be encoded and cannot control the terminal: unprintable characters are escaped.

    >>> printable("a\x1b[31m\udcff")
    'a\\x1b[31m\\udcff'
    """
    return "".join(
        letter if letter.isprintable() or letter in SPACES else letter.encode("unicode_escape").decode()
        for letter in text
    )


def html(text: str) -> str:
    """Text escaped for HTML or SVG."""
    return escape(printable(text))


def prose(text: str) -> str:
    """Sentences as HTML; text in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html(text))


def _words(value: Any) -> str:
    value = value.tolist() if hasattr(value, "tolist") else value  # numpy's numbers and arrays
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_words(item)}" for key, item in value.items())
    if isinstance(value, list | tuple | set):
        return ", ".join(map(_words, value))
    return str(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if isinstance(value, int) or 1e3 <= abs(value) < 1e9 else f"{value:.4g}"
