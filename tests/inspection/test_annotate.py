import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagelab import finding
from imagelab.config.compose import compose, plain
from imagelab.inspection import annotation_page as module
from imagelab.inspection.annotate import ORDER, Annotation, annotate, annotation
from imagelab.inspection.annotation import Said
from imagelab.inspection.annotation_page import PAGE, serve
from imagelab.pages.local_server import LocalHandler, LocalServer
from imagelab.problem import Problem
from tests.browser import load

COUNT = 10


def config_of(number: int | str = COUNT, port: int = 0) -> dict[str, Any]:
    composed = compose("train", ["data=digits"])
    assert composed.cfg is not None
    return plain(composed.cfg) | {"annotate": number, "port": port}


class Browser:
    """Asks the server of an annotation as a page does."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json", **headers})
        reply = connection.getresponse()
        return reply.status, reply.read()

    def answer(self, number: int, label: int) -> dict[str, Any]:
        status, content = self.ask("POST", "/answer", {"number": number, "label": label, "seconds": 0.5})
        assert status == 200
        return json.loads(content)


@pytest.fixture
def begun(tmp_path: Path) -> Annotation:
    return annotation(config_of(), tmp_path)


@pytest.fixture
def browser(begun: Annotation, monkeypatch) -> Iterator[Browser]:
    monkeypatch.setattr(module, "LINGER", 0)
    server = serve(begun, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Browser(server.server_port)
    server.shutdown()
    thread.join(5)
    assert not thread.is_alive()
    server.server_close()


def labels_of(begun: Annotation) -> list[int]:
    return [int(begun.labels[place]) for place in begun.places]


def test_a_person_answers_all_and_the_result_is_saved(
    begun: Annotation, browser: Browser, tmp_path: Path
) -> None:
    state = json.loads(browser.ask("GET", "/state")[1])
    assert state == {"number": 0, "total": 12, "done": False, "classes": list("0123456789"), "result": ""}
    for number, label in enumerate(labels_of(begun)):
        state = browser.answer(number, label if number else (label + 1) % 10)
    assert state["done"]
    assert state["result"].startswith("human accuracy 90.0% [59.6%, 98.2%] of 10; self-agreement")
    accuracy, agreement = finding.read(tmp_path / "annotation.json")
    assert accuracy.value["share"] == 0.9
    assert agreement.value["images"] == 2
    assert len((tmp_path / "annotation.csv").read_text().splitlines()) == 13


def test_the_page_gets_the_images_and_never_their_labels(begun: Annotation, browser: Browser) -> None:
    assert browser.ask("GET", "/")[1] == PAGE.read_bytes()
    status, content = browser.ask("GET", "/image?number=3")
    assert status == 200
    assert np.array_equal(np.asarray(Image.open(BytesIO(content))), begun.image(3))
    assert browser.ask("GET", "/image?number=99")[0] == 404
    assert browser.ask("GET", "/../annotation.csv")[0] == 404


def test_an_answer_counts_once_and_an_invalid_one_never(begun: Annotation, browser: Browser) -> None:
    browser.answer(0, 3)
    assert browser.answer(0, 4)["number"] == 1  # pressed twice
    assert browser.answer(5, 4)["number"] == 1
    assert browser.answer(1, 10)["number"] == 1
    assert browser.ask("POST", "/answer", {"number": 1})[0] == 400
    assert [one.said for one in begun.answers.said] == ["3"]


def test_pages_of_other_sites_are_refused(browser: Browser) -> None:
    body = {"number": 0, "label": 0, "seconds": 1}
    assert browser.ask("POST", "/answer", body, Origin="https://example.com")[0] == 403
    assert browser.ask("GET", "/state", Host="example.com")[0] == 403


def test_it_answers_its_own_host_and_port_only(browser: Browser) -> None:
    own = [f"{host}:{browser.port}" for host in ("127.0.0.1", "localhost")]
    for host in own:
        assert browser.ask("GET", "/state", Host=host, Origin=f"http://{host}")[0] == 200
    for host in ("127.0.0.1", "localhost", f"127.0.0.1:{browser.port + 1}", f"example.com:{browser.port}"):
        assert browser.ask("GET", "/state", Host=host)[0] == 403
        assert browser.ask("GET", "/state", Origin=f"http://{host}")[0] == 403
    for origin in ("null", f"https://{own[0]}", "http://127.0.0.1.example.com"):
        assert browser.ask("POST", "/answer", {}, Origin=origin)[0] == 403


@pytest.mark.parametrize("length", ["1001", "-1", "9" * 5000, "", "x"])
def test_a_body_is_short_and_says_how_long_it_is(browser: Browser, length: str) -> None:
    head = f"POST /answer HTTP/1.1\r\nHost: 127.0.0.1:{browser.port}\r\n"
    assert b" 413 " in spoken(browser.port, f"{head}Content-Length: {length}\r\n\r\n".encode())
    assert browser.answer(0, 3)["number"] == 1


@pytest.mark.parametrize("began", ["", "POST /ans", "BODY"])
def test_whoever_dawdles_or_drips_is_cut_off_without_a_word(
    browser: Browser, monkeypatch, capfd, began: str
) -> None:
    monkeypatch.setattr(LocalHandler, "patience", 0.3)
    body = f"POST /answer HTTP/1.1\r\nHost: 127.0.0.1:{browser.port}\r\nContent-Length: 900\r\n\r\n"
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", browser.port), timeout=10) as line:
        line.sendall((body if began == "BODY" else began).encode())
        with suppress(OSError):
            while time.monotonic() - started < 8:
                line.sendall(b"x")  # some bytes come all the time
                time.sleep(0.05)
    assert time.monotonic() - started < 8
    assert browser.answer(0, 3)["number"] == 1
    assert capfd.readouterr() == ("", "")


def test_a_browser_that_hangs_up_leaves_no_trace(browser: Browser, capfd) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", browser.port)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset
            line.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{browser.port}\r\n\r\n".encode())
    assert browser.answer(0, 3)["number"] == 1
    assert capfd.readouterr() == ("", "")


def spoken(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(request)
        return line.recv(1000)


def test_an_annotation_is_resumed_in_place(begun: Annotation, browser: Browser, tmp_path: Path) -> None:
    browser.answer(0, 0)
    again = annotation(config_of(str(tmp_path)), tmp_path / "unused")
    assert again.files == begun.files
    assert again.state()["number"] == 1
    assert (tmp_path / ORDER).is_file()
    with pytest.raises(Problem, match="wants a number of images, or the folder"):
        annotation(config_of("nowhere"), tmp_path)


def test_ctrl_c_stops_cleanly_with_the_result(tmp_path: Path, monkeypatch, capsys) -> None:
    def stopped(self: Any, poll_interval: float) -> None:
        kept: Annotation = self.RequestHandlerClass.annotation
        kept.answers.add(Said(0, kept.files[0], "1", "1", 2.0))
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalServer, "serve_forever", stopped)
    annotate(config_of(), tmp_path)
    said = capsys.readouterr().out
    assert "12 images to label: open http://127.0.0.1:" in said
    assert "human accuracy 100.0% [20.7%, 100.0%] of 1." in said
    assert f"resume: imagelab inspect annotate={tmp_path}" in said
    assert (tmp_path / "annotation.html").is_file()


def test_a_port_that_is_taken_is_one_sentence(begun: Annotation, browser: Browser) -> None:
    with pytest.raises(Problem, match=f"port={browser.port}: .* port=0 takes any free one"):
        serve(begun, browser.port)


def test_the_page_works_in_a_browser(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    fake = (
        "<script>let n = 0; const names = ['cat', '<b>dog'], result = 'human accuracy 50%, said ', said = [];"
        "const now = () => ({number: n, total: 2, done: n == 2, classes: names, result: result + said});"
        "window.fetch = async (path, asked) => { if (asked) { said.push(JSON.parse(asked.body).label); n++; }"
        "return {json: async () => now()}; };</script>"
    )
    page.write_text(PAGE.read_text().replace("<script>", f"{fake}<script>", 1))
    script = (
        "const press = () => document.dispatchEvent(new KeyboardEvent('keydown', {key: '2'}));"
        "setTimeout(() => document.querySelectorAll('button')[0].click(), 200);"
        "setTimeout(press, 500); return 1"
    )
    found = load(page, script)
    assert '<p id="result">human accuracy 50%, said 0,1</p>' in found.dom
    assert "<kbd>2</kbd>&lt;b&gt;dog" in found.dom
