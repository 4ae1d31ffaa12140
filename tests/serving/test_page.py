"""The local page answers pictures, alone or as JSON, and stays up whatever is sent to it."""

import base64
import csv
import io
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from imagelab import serve as command
from imagelab.loading import load
from imagelab.pages.local_server import LocalServer
from imagelab.problem import Problem
from imagelab.serving import page as module
from imagelab.serving.answers import Answers
from tests import browser, in_process
from tests.served import MOST, Client, content, serving

KEYS = {
    "level": 0.9,
    "max_pixels": 10_000_000,
    "score": None,  # room: detection
    "explain": False,  # room: explaining
    "near": None,  # room: embedding
}


def digit(number: int) -> bytes:
    return content(np.rint(load_digits().images[number] * 255 / 16).astype(np.uint8))


def works(client: Client) -> bool:
    return set(client.predict(digit(0))["predictions"]) == set("0123456789")


@pytest.fixture(scope="module")
def answers(digits: Path) -> Answers:
    return Answers(load(digits), **KEYS)


@pytest.fixture(scope="module")
def client(answers: Answers) -> Iterator[Client]:
    with serving(answers) as found:
        yield found


def test_it_says_what_predict_says(client: Client, digits: Path, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(digit(number))
    said = in_process.imagelab(
        "predict", f"run={digits}", "source=.", "set=0.9", "output=p.csv", folder=tmp_path
    )
    assert said.status == 0, said
    for row in csv.DictReader((tmp_path / "p.csv").open()):
        found = client.predict((tmp_path / row["file"]).read_bytes())
        assert found["summary"]["class"] == row["class"]
        assert "|".join(found["set"]) == row["set"]
        assert found["unlike"] == pytest.approx(float(row["unlike"]), abs=1e-3)
        for name, value in found["predictions"].items():
            assert value == pytest.approx(float(row[name]), abs=1e-5)
        assert (found["width"], found["height"], found["level"]) == (8, 8, 0.9)
        assert not {"heat_map", "neighbours", "boxes"} & set(found)


def test_the_page_knows_the_classes_and_the_limit(client: Client) -> None:
    assert b"script-src 'sha256-" in client.ask("GET", "/")[1]
    about = json.loads(client.ask("GET", "/about")[1])
    assert about == {"predicts": "classes", "names": list("0123456789"), "level": 0.9, "longest": MOST}
    for path in ("/predict", "/../results.json", "/picture?file=/etc/passwd"):
        assert client.ask("GET", path)[0] == 404
    assert client.ask("POST", "/", b"x")[0] == 404
    assert client.ask("PUT", "/predict", b"x")[0] == 501


def test_only_its_own_page_and_programs_on_this_machine_are_answered(client: Client) -> None:
    own = f"127.0.0.1:{client.port}"
    assert client.ask("GET", "/about", Host=own, Origin=f"http://{own}")[0] == 200
    for host in ("127.0.0.1", "example.com", f"example.com:{client.port}", f"127.0.0.1:{client.port + 1}"):
        assert client.ask("POST", "/predict", digit(0), Host=host)[0] == 403
    for origin in ("null", f"https://{own}", "https://example.com"):
        assert client.ask("POST", "/predict", digit(0), Origin=origin)[0] == 403
    with closing(HTTPConnection("127.0.0.1", client.port)) as connection:
        connection.request("GET", "/")
        headers = connection.getresponse().headers
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that is side x side pixels large."""
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(side // 8 + 1)) for _ in range(side)) + rows.flush()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_what_is_no_picture_is_a_sentence_and_the_server_goes_on(client: Client) -> None:
    half = content(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8), "JPEG")
    for body, why in (
        (b"no picture", "the picture: not a picture"),
        (b"", "the picture: the file is empty"),
        (half[: len(half) // 2], "the picture: "),
        (bomb(9_000), "9000 x 9000 pixels"),
        (bomb(16_000), "could be decompression bomb"),
        (b'{"picture": "x"}', "not a picture"),
    ):
        assert why in client.predict(body, 400)["error"]
    assert works(client)


def test_a_body_that_is_too_large_or_endless_is_refused_before_it_is_read(client: Client) -> None:
    assert "at most 300,000 bytes" in client.predict(bytes(MOST + 1), 413)["error"]
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n"
    for length in ("Content-Length: 99999999999", "Content-Length: -1", "Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as line:
            line.sendall(f"{head}{length}\r\n\r\n".encode() + b"5\r\nabcde\r\n" * 1000)
            assert b" 413 " in line.recv(1000)
    assert works(client)


def test_whoever_drips_is_cut_off_while_others_are_answered(answers: Answers, capfd) -> None:
    with serving(answers, seconds=1.5) as client:
        head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nContent-Length: 900\r\n\r\n"
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as line:
            line.sendall(head.encode())
            assert works(client)
            with suppress(OSError):
                while time.monotonic() - began < 20:
                    line.sendall(b"x")
                    time.sleep(0.02)
        assert time.monotonic() - began < 20
        assert works(client)
    assert capfd.readouterr() == ("", "")


def test_there_is_room_for_a_few_bodies_only(answers: Answers, monkeypatch) -> None:
    monkeypatch.setattr(module, "BODIES", 1)
    with serving(answers, seconds=1.0) as client, answers.turn:
        waiting = threading.Thread(target=client.ask, args=("POST", "/predict", digit(0)))
        waiting.daemon = True
        waiting.start()
        time.sleep(0.2)  # its body is in memory now
        assert "busy" in client.predict(digit(1), 503)["error"]


def test_ctrl_c_ends_it_and_a_port_that_is_taken_is_one_sentence(
    client: Client, digits: Path, tmp_path: Path, monkeypatch
) -> None:
    taken = in_process.imagelab("serve", f"run={digits}", f"port={client.port}", folder=tmp_path)
    assert taken.status == 2
    assert f"port={client.port}: Address already in use; port=0 takes any free one" in taken.err

    def stopped(self: LocalServer, poll_interval: float) -> None:
        assert self.server_address[0] == "127.0.0.1"
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalServer, "serve_forever", stopped)
    said = in_process.imagelab("serve", f"run={digits}", "port=0", "explain=false", folder=tmp_path)
    assert (said.status, said.err) == (0, "")
    assert "Open http://127.0.0.1:" in said.out
    assert list(tmp_path.iterdir()) == []


def test_numbers_out_of_range_and_a_strange_network_are_refused(digits: Path, tmp_path: Path) -> None:
    for word, why in (
        ("megabytes=0", "megabytes: wants a number above 0"),
        ("run=nowhere", "not the folder of a run"),
    ):
        said = in_process.imagelab("serve", f"run={digits}", word, folder=tmp_path)
        assert said.status == 2
        assert why in said.err


# room: explaining
def test_a_heat_map_is_shown_where_there_is_one(digits: Path, monkeypatch, capsys) -> None:
    with serving(Answers(load(digits), **(KEYS | {"explain": True}))) as client:
        assert "heat_map" not in client.predict(digit(0))
        uri = client.predict(digit(0), asked="?pictures=true")["heat_map"]
        assert Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size == (8, 8)
    predictor = load(digits)
    assert command._explain(predictor, None)
    monkeypatch.setattr("imagelab.serving.answers.find_spec", lambda name: None)
    assert not command._explain(predictor, None)
    assert "No heat maps: captum is not installed" in capsys.readouterr().out
    with pytest.raises(Problem, match="explain: captum is not installed"):
        command._explain(predictor, True)


# end
# room: embedding
def test_the_nearest_pictures_of_the_run_are_found(digits: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    source = tmp_path / "pictures"
    for number in range(12):
        (source / str(number % 10)).mkdir(parents=True, exist_ok=True)
        (source / str(number % 10) / f"{number}.png").write_bytes(digit(number))
    said = in_process.imagelab("embed", f"run={digits}", f"source={source}", "map=null", folder=tmp_path)
    assert said.status == 0, said
    predictor = load(digits)
    cfg = {"run": str(digits), "table": None, "neighbours": 3}
    near = command._near(predictor, cfg)
    with serving(Answers(predictor, **(KEYS | {"near": near}))) as client:
        found = client.predict(digit(3))["neighbours"]
        assert found[0] == {"file": str(source / "3" / "3.png"), "folder": "3", "similarity": 1.0}
        assert len(found) == 3
        (source / "3" / "3.png").unlink()  # the features stay
        shown = client.predict(digit(3), asked="?pictures=true")["neighbours"]
        assert all(one["picture"].startswith("data:image/webp;base64,") for one in shown)
    next(predictor.net.parameters()).data += 1  # another network
    assert command._near(predictor, cfg) is None
    assert "come from a different network" in capsys.readouterr().out
    with pytest.raises(Problem, match="come from a different network"):
        command._near(predictor, cfg | {"table": str(digits / "embedding" / "features.parquet")})


# end
def test_a_picture_dropped_in_a_browser_is_answered(answers: Answers, tmp_path: Path, monkeypatch) -> None:
    drop = (
        "const at = name => document.getElementById(name);"
        "const shown = () => document.querySelector('#shown img');"
        "const drop = async (bytes, ready) => { const given = new DataTransfer();"
        "given.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], '<b>.png'));"
        "document.dispatchEvent(new DragEvent('drop', {dataTransfer: given, cancelable: true}));"
        "for (let k = 0; k < 100 && !ready(); k++) await new Promise(go => setTimeout(go, 20)); };"
        f"await drop('{base64.b64encode(digit(0)).decode()}', () => shown()?.naturalWidth);"
        "const seen = [at('summary').textContent, document.querySelectorAll('#numbers tr').length,"
        "  at('sure').textContent, shown().naturalWidth];"
        f"await drop('{base64.b64encode(b'no picture').decode()}', () => !at('error').hidden);"
        "return [...seen, at('error').textContent, at('numbers').textContent]"
    )
    tried = tmp_path / "page.html"
    tried.write_text(browser.with_script(module.PAGE.read_text(), drop))
    monkeypatch.setattr(module, "PAGE", tried)
    with serving(answers) as client:
        found = browser.visit(f"http://127.0.0.1:{client.port}/", tmp_path / "profile")
        best = client.predict(digit(0))
    assert found.errors == []
    name, rows, sure, width, error, left = found.returned
    assert (name, rows, width) == (best["summary"]["class"], 10, 8)
    assert ", ".join(best["set"]) in sure
    assert error.startswith("the picture: not a picture")
    assert left == ""
