"""Check whether a tracking server answers: the libraries themselves would retry for minutes."""

import threading
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def answers(url: str, patience: float) -> bool:
    """Whether a server answers within `patience` seconds, plus one to look up its address."""
    said: list[bool] = []

    def ask() -> None:
        try:
            with urlopen(Request(url, method="HEAD"), timeout=patience):
                said.append(True)
        except HTTPError as error:
            said.append(error.code < 500)
        except (OSError, ValueError, HTTPException):
            said.append(False)

    # In a thread: a name lookup in a broken network can exceed any timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience + 1)
    return said == [True]
