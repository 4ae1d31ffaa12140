"""Check first whether a tracking server answers, because the libraries themselves retry for minutes."""

import threading
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def answers(url: str, patience: float) -> bool:
    """Ask a server for a sign of life, for at most `patience` seconds and one more to find its address."""
    said: list[bool] = []

    def ask() -> None:
        try:
            with urlopen(Request(url, method="HEAD"), timeout=patience):
                said.append(True)
        except HTTPError as error:
            said.append(error.code < 500)
        except (OSError, ValueError, HTTPException):
            said.append(False)

    # A thread, since looking up a name in a broken network can take longer than any timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience + 1)
    return said == [True]
