"""Serve the page on which a person drops a picture, and the same answers as JSON."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs

from imagelab.data.decode import Unreadable
from imagelab.pages.local_server import LocalHandler, LocalServer, listen
from imagelab.pages.page import hash_of

if TYPE_CHECKING:
    from imagelab.serving.answers import Answers

PAGE = Path(__file__).with_name("serve.html")
BODIES = 4  # requests whose pictures are in memory
WAIT = 0.5  # share of the time of a request in which there must be room for it


def serve(given: Answers, port: int, *, longest: int, seconds: float) -> LocalServer:
    """Make the server, which listens on the local address only.

    Args:
        given: Answers to give.
        port: Port to listen on; 0: any free one.
        longest: Bytes of the largest picture file.
        seconds: Longest time of a request.

    Raises:
        Problem: The port is taken.
    """

    class Handler(_Handler):
        answers = given
        most = longest
        patience = seconds
        room = threading.BoundedSemaphore(BODIES)

    return listen(Handler, port)


def page() -> bytes:
    """The page, whose policy allows its own script only."""
    text = PAGE.read_text(encoding="utf-8")
    script = text.partition("<script>")[2].partition("</script>")[0]
    return text.replace("'HASH'", f"'{hash_of(script)}'", 1).encode()


class _Handler(LocalHandler):
    """answers: What to reply with. most: Bytes of the largest picture file. room: Limits bodies in memory."""

    answers: Answers
    most: int
    room: threading.Semaphore

    def get(self, asked: SplitResult) -> None:
        """Send the page, or what it must know of the network."""
        if asked.path == "/":
            self.reply(page(), "text/html; charset=utf-8")
        elif asked.path == "/about":
            self.reply_json(self.answers.about() | {"longest": self.most})
        else:
            self.refuse(404, "there are /, /about and POST /predict")

    def post(self, asked: SplitResult) -> None:
        """Answer a picture, the body of POST /predict, with JSON."""
        if asked.path != "/predict":
            self.refuse(404, "POST a picture to /predict")
            return
        if not self.room.acquire(timeout=WAIT * self.patience):
            self.refuse(503, "busy with other pictures")
            return
        try:
            if (data := self.body(self.most)) is not None:
                pictures = parse_qs(asked.query).get("pictures", [""])[0] == "true"
                self.reply_json(self.answers.answer(data, pictures=pictures))
        except Unreadable as error:
            self.reply_json({"error": str(error)}, 400)
        finally:
            self.room.release()
