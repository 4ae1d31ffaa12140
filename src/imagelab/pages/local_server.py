"""Serve a page to browsers on this machine only, and answer only the page itself.

Any web page that a person visits can send requests to this machine, under a name of its own too (DNS
rebinding). So a request must name our host and port, and a request that says which page it comes from must
come from ours.

Source: https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Origin
"""

import json
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import SplitResult, urlsplit

from imagelab.config.schema import Node
from imagelab.problem import Problem
from imagelab.terminal import screen

HOST = "127.0.0.1"
PATIENCE = 10.0  # seconds for the next bytes of a request, and for the whole request
LEFTOVER = 1.0  # seconds in which the rest of a refused body is thrown away, so that the refusal arrives
PIECE = 65_536  # bytes
DIGITS = 12  # of a Content-Length; more are a mistake or an attack


class LocalServer(ThreadingHTTPServer):
    """A server that says errors in a sentence; a browser that has hung up is no error."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if not isinstance(error, OSError):
            screen.say(f"A request of the page failed: {error}")


def listen(handler: type["LocalHandler"], port: int) -> LocalServer:
    """Make a server that listens on the local address only.

    Args:
        handler: Class that answers a request.
        port: Port to listen on; 0: any free one.

    Raises:
        Problem: The port is taken.
    """
    try:
        return LocalServer((HOST, port), handler)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise Problem(f"port={port}: {why}; port=0 takes any free one") from error


def serve_until_stopped(server: LocalServer) -> None:
    """Answer requests until Ctrl-C, or until another thread shuts the server down."""
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        screen.say("")
    finally:
        server.server_close()


class LocalHandler(BaseHTTPRequestHandler):
    """Answer a request of a page that this machine serves.

    patience: Seconds for a whole request and its reply.
    """

    patience = PATIENCE

    def setup(self) -> None:
        """Close a connection whose request or reply takes too long, even if bytes keep arriving."""
        super().setup()
        self.connection.settimeout(self.patience)
        self._deadline = threading.Timer(self.patience, self._hang_up)
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def do_GET(self) -> None:
        if self._from_here():
            self.get(urlsplit(self.path))

    def do_POST(self) -> None:
        if self._from_here():
            self.post(urlsplit(self.path))

    def get(self, asked: SplitResult) -> None:
        """Answer a GET request of our own page."""
        raise NotImplementedError

    def post(self, asked: SplitResult) -> None:
        """Answer a POST request of our own page, or of a program."""
        raise NotImplementedError

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the person looks at the page, not at the terminal."""

    def body(self, longest: int) -> bytes | None:
        """The body of a request; None if it was refused: it is too long, or does not say how long it is.

        Args:
            longest: Largest number of bytes.
        """
        length = self.headers.get("Content-Length", "")
        known = length.isascii() and length.isdecimal() and len(length) <= DIGITS
        if known and int(length) <= longest:
            return self.rfile.read(int(length))
        self.refuse(413, f"expected at most {longest:,} bytes, and their number")
        return None

    def refuse(self, status: int, why: str) -> None:
        """Reply with an error, and take the rest of the body: else the client would see no reply."""
        self.reply_json({"error": why}, status)
        self._throw_away()

    def reply_json(self, content: Node, status: int = 200) -> None:
        self.reply(json.dumps(content, allow_nan=False).encode(), "application/json", status)

    def reply(self, content: bytes, kind: str, status: int = 200) -> None:
        """Send content that no other page may use, and that no browser keeps.

        Args:
            content: Body of the reply.
            kind: Its media type.
            status: Status of HTTP.
        """
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.end_headers()
        self.wfile.write(content)

    def _from_here(self) -> bool:
        """Whether a request is for us; those to another host or from a page of another origin are refused."""
        port = self.connection.getsockname()[1]
        hosts = {f"{name}:{port}" for name in (HOST, "localhost")}
        origins = {f"http://{host}" for host in hosts}
        asked = self.headers.get_all("Host") or []
        asking = self.headers.get_all("Origin") or []
        if len(asked) == 1 and hosts.issuperset(asked) and origins.issuperset(asking):
            return True
        self.refuse(403, "this server answers its own page only")
        return False

    def _throw_away(self) -> None:
        until = time.monotonic() + LEFTOVER
        self.connection.settimeout(LEFTOVER)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while time.monotonic() < until and self.connection.recv(PIECE):
                pass

    def _hang_up(self) -> None:
        with suppress(OSError):  # closed already
            self.connection.shutdown(socket.SHUT_RDWR)
