# room: serving
"""Serve answers on a free port, and ask for them as a page or a program does."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import numpy as np
from PIL import Image

from imagelab.serving.answers import Answers
from imagelab.serving.page import serve

MOST = 300_000  # bytes of a picture file


def content(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """A picture file with these pixels."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


class Client:
    """Asks the server as a page or a program does."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.read()

    def predict(self, body: bytes, status: int = 200, asked: str = "") -> dict[str, Any]:
        found, text = self.ask("POST", f"/predict{asked}", body)
        assert found == status, text
        return json.loads(text)


@contextmanager
def serving(answers: Answers, **keys: Any) -> Iterator[Client]:
    """Serve these answers on a free port."""
    server = serve(answers, 0, **({"longest": MOST, "seconds": 20.0} | keys))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Client(server.server_port)
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
