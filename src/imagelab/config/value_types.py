"""Check YAML values against Python type hints, and describe those types in plain words."""

import json
import math
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from imagelab.config.signatures import Opaque

PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}


def fits(value: Any, hint: Any) -> bool:
    """Whether a YAML value fits a type: 1 is a float, a list can be a tuple, true is not a number.

    >>> fits(1, float), fits(12.5, int), fits(True, int), fits([3, 4], tuple[int, int])
    (True, False, False, True)
    """
    adapter = _adapter(hint)
    if adapter is None:
        return True
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError:
        return False
    return True


def non_finite(value: Any) -> float | None:
    """The first nan or infinity in a YAML value, at any depth.

    >>> non_finite([0.9, float("nan")]), non_finite({"a": 1e300})
    (nan, None)
    """
    if isinstance(value, float):
        return None if math.isfinite(value) else value
    if isinstance(value, dict):
        value = [*value.values()]
    inner = value if isinstance(value, list) else []
    return next((found for one in inner if (found := non_finite(one)) is not None), None)


def show(value: Any) -> str:
    """A value as written in YAML and on the command line."""
    return repr(value) if isinstance(value, str) else json.dumps(value)


def wanted(hint: Any) -> str:
    """Describe a type in words.

    >>> wanted(int | Literal["full"] | None)
    "a whole number, 'full' or null"
    """
    words = list(dict.fromkeys(_words(hint)))
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def options(hint: Any) -> list[str]:
    """The words that a Literal type lists.

    >>> options(int | Literal["full"])
    ['full']
    """
    if get_origin(hint) is Literal:
        return [word for word in get_args(hint) if isinstance(word, str)]
    if get_origin(hint) in (Union, UnionType):
        return [word for part in get_args(hint) for word in options(part)]
    return []


@cache
def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    """Pydantic's validator of a type, or None if there is none."""
    try:
        if isinstance(hint, type) and is_dataclass(hint):
            return TypeAdapter(hint)
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError, NameError):
        return None


def _words(hint: Any) -> Iterator[str]:
    if get_origin(hint) in (Union, UnionType):
        for part in sorted(get_args(hint), key=lambda part: part is type(None)):
            yield from _words(part)
    elif get_origin(hint) is Literal:
        yield from map(show, get_args(hint))
    elif get_origin(hint) is list:
        yield f"a list of ({wanted(get_args(hint)[0])})"
    elif get_origin(hint) is dict:
        yield f"{{NAME: {wanted(get_args(hint)[1])}, ...}}"
    elif get_origin(hint) is tuple and Ellipsis not in get_args(hint):
        yield f"[{', '.join(wanted(part) for part in get_args(hint))}]"
    elif hint is not Opaque and getattr(hint, "__name__", "") != "Tensor":
        yield PLAIN[hint] if hint in PLAIN else getattr(hint, "__name__", str(hint))
