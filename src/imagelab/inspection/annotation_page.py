"""Serve the page of an annotation, only to a browser on this machine and to the page itself."""

from __future__ import annotations

import json
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs

import numpy as np
from PIL import Image

from imagelab.pages.local_server import LocalHandler, LocalServer, listen

if TYPE_CHECKING:
    from imagelab.inspection.annotate import Annotation

PAGE = Path(__file__).with_name("annotate.html")
LINGER = 1.0  # seconds to finish the reply to the last answer
LONGEST_BODY = 1000  # bytes; an answer takes 60


def serve(begun: Annotation, port: int) -> LocalServer:
    """Make the server, which listens on the local address only and stops after the last answer.

    Args:
        begun: Annotation to show.
        port: Port to listen on; 0: any free one.

    Raises:
        Problem: The port is taken.
    """

    class Handler(_Handler):
        annotation = begun

    server = listen(Handler, port)
    begun.keep_order()
    return server


class _Handler(LocalHandler):
    annotation: Annotation

    def get(self, asked: SplitResult) -> None:
        if asked.path == "/":
            self.reply(PAGE.read_bytes(), "text/html; charset=utf-8")
        elif asked.path == "/state":
            self.reply_json(self.annotation.state())
        elif asked.path == "/image":
            number = parse_qs(asked.query).get("number", [""])[0]
            if not number.isdecimal() or int(number) >= len(self.annotation.places):
                self.send_error(404)
                return
            self.reply(_png(self.annotation.image(int(number))), "image/png")
        else:
            self.send_error(404)

    def post(self, asked: SplitResult) -> None:
        if (given := self.body(LONGEST_BODY)) is None:
            return
        try:
            body = json.loads(given)
            number = int(body["number"])
            label = int(body["label"])
            seconds = float(body["seconds"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self.send_error(400, "expected number, label and seconds as JSON")
            return
        self.reply_json(state := self.annotation.answer(number, label, seconds))
        if state["done"]:
            threading.Thread(target=self._stop, daemon=True).start()

    def _stop(self) -> None:
        time.sleep(LINGER)
        self.server.shutdown()


def _png(image: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()
