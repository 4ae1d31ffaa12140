"""Serve the page of an annotation, only to a browser on this machine and to the page itself."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from imagelab.config.schema import Node
from imagelab.problem import Problem
from imagelab.terminal import screen

if TYPE_CHECKING:
    from imagelab.inspection.annotate import Annotation

HOST = "127.0.0.1"
PAGE = Path(__file__).with_name("annotate.html")
LINGER = 1.0  # seconds to finish the reply to the last answer
LONGEST_BODY = 1000  # bytes; an answer takes 60
PATIENCE = 10.0  # seconds for the next bytes of a request, and for the whole request


def serve(begun: Annotation, port: int) -> ThreadingHTTPServer:
    """Make the server, which listens on the local address only and stops after the last answer.

    Args:
        begun: Annotation to show.
        port: Port to listen on; 0: any free one.

    Raises:
        Problem: The port is taken.
    """

    class Handler(_Handler):
        annotation = begun

    try:
        server = _Server((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise Problem(f"port={port}: {why}; port=0 takes any free one") from error
    begun.keep_order()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error in a sentence, unless the browser has just hung up."""
        error = sys.exception()
        if not isinstance(error, OSError):
            screen.say(f"A request of the page failed: {error}")


class _Handler(BaseHTTPRequestHandler):
    annotation: Annotation
    timeout = PATIENCE

    def setup(self) -> None:
        """Close a connection whose request or reply takes too long, even if bytes keep arriving."""
        super().setup()
        self._deadline = threading.Timer(PATIENCE, self._hang_up)
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if not self._from_here():
            return
        if asked.path == "/":
            self._reply(PAGE.read_bytes(), "text/html; charset=utf-8")
        elif asked.path == "/state":
            self._reply_json(self.annotation.state())
        elif asked.path == "/image":
            number = parse_qs(asked.query).get("number", [""])[0]
            if not number.isdecimal() or int(number) >= len(self.annotation.places):
                self.send_error(404)
                return
            self._reply(_png(self.annotation.image(int(number))), "image/png")
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        if not self._from_here():
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal() and len(length) < 10 and int(length) <= LONGEST_BODY):
            self.send_error(413, f"expected at most {LONGEST_BODY} bytes, and their number")
            return
        try:
            body = json.loads(self.rfile.read(int(length)))
            number = int(body["number"])
            label = int(body["label"])
            seconds = float(body["seconds"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self.send_error(400, "expected number, label and seconds as JSON")
            return
        self._reply_json(state := self.annotation.answer(number, label, seconds))
        if state["done"]:
            threading.Thread(target=self._stop, daemon=True).start()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the person looks at the page, not at the terminal."""

    def _stop(self) -> None:
        time.sleep(LINGER)
        self.server.shutdown()

    def _hang_up(self) -> None:
        with suppress(OSError):  # closed already
            self.connection.shutdown(socket.SHUT_RDWR)

    def _from_here(self) -> bool:
        """Refuse requests to another host or port, and those from pages of another origin."""
        port = self.connection.getsockname()[1]
        hosts = {f"{name}:{port}" for name in (HOST, "localhost")}
        origins = {f"http://{host}" for host in hosts}
        asked = self.headers.get_all("Host") or []
        asking = self.headers.get_all("Origin") or []
        if len(asked) == 1 and hosts.issuperset(asked) and origins.issuperset(asking):
            return True
        self.send_error(403)
        return False

    def _reply_json(self, content: Node) -> None:
        self._reply(json.dumps(content).encode(), "application/json")

    def _reply(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()
