"""What a command found, as it goes out: files read back, the terminal's text, W&B's files on disk."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import wandb
from rich.console import Console

from imagelab import finding
from imagelab.finding import Finding
from imagelab.logger import reporting as module
from imagelab.logger.reporting import loggers_of
from imagelab.pages.finding_table import terminal_table
from imagelab.pages.page import Section
from imagelab.pages.publish import publish
from imagelab.runs import files
from imagelab.terminal import screen

NASTY = b"caf\xe9\x1b[31m [bold]<b>.jpg".decode("utf-8", "surrogateescape")
SENTENCE = "The logits of a fresh head are far too spread: their standard deviation is 2.1, not 0.1."
BAD = Finding(
    name="loss at init",
    status="FAIL",
    value=4.6123,
    expected="ln 10 = 2.303, within 25%",
    why=SENTENCE,
    fix="Start the last layer smaller: `imagelab check model.init=kaiming`.",
    seconds=0.25,
)
FINDINGS = [BAD, replace(BAD, name="files", status="WARN", value=[NASTY] * 30), replace(BAD, status="OK")]
OFFLINE = {"_target_": module.WANDB, "project": "birds", "entity": None, "name": None, "tags": []}
OFFLINE |= {"group": None, "artifacts": True, "mode": "offline"}


@pytest.fixture
def messages(monkeypatch):
    lines = []
    monkeypatch.setattr(screen, "say", lambda *what: lines.extend(what))
    return lines


def out(folder: Path, loggers=(), sections=()):
    return publish(
        folder,
        "check",
        title="Check",
        summary="One thing is wrong.",
        findings=FINDINGS,
        sections=[Section("More", "", "<p>here</p>"), *sections],
        loggers=loggers,
    )


def test_json_holds_exactly_the_findings_and_the_page_shows_them(tmp_path, messages):
    path = out(tmp_path)
    assert path == tmp_path / "check.html"
    assert finding.read(tmp_path / "check.json") == FINDINGS
    assert json.loads((tmp_path / "check.json").read_text()) == finding.plain(FINDINGS)
    page = path.read_text()
    assert page.count('class="badge FAIL"') == 2  # how many there are, and the finding
    assert "their standard deviation is 2.1" in page
    assert "<p>here</p>" in page
    assert sorted(file.name for file in tmp_path.iterdir()) == ["check.html", "check.json"]


def test_numbers_of_numpy_are_plain_and_those_that_are_none_are_null(tmp_path):
    np = pytest.importorskip("numpy")
    found = [
        replace(BAD, value=value)
        for value in (np.int64(3), np.bool_(True), np.float32(0.5), np.arange(2), float("nan"))
    ]
    files.write_json(tmp_path / "a.json", finding.plain(found))
    assert [one.value for one in finding.read(tmp_path / "a.json")] == [3, True, 0.5, [0, 1], None]


def test_what_cannot_be_written_leaves_the_earlier_files_as_they_were(tmp_path, messages):
    out(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(TypeError):
        publish(
            tmp_path,
            "check",
            title="",
            summary="",
            findings=[replace(BAD, value=object())],
            sections=[],
        )
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_bytes_of_a_name_that_a_body_was_left_with_are_no_reason_to_lose_the_page(tmp_path, messages):
    assert r"caf\udce9" in out(tmp_path, sections=[Section("More", "", NASTY)]).read_text()


@pytest.mark.parametrize("width", [60, 80, 110])
def test_the_terminal_shows_all_of_a_finding_within_its_width(width, tmp_path):
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as file:
        # As screen's: soft wrap would let long lines run out of the window.
        Console(file=file, width=width, highlight=False, soft_wrap=True).print(
            terminal_table("Check", FINDINGS)
        )
    text = path.read_text()
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    joined = " ".join(text.split())
    assert "FAIL loss at init 4.612 (expected: ln 10 = 2.303" in joined
    assert "1 FAIL, 1 WARN, 1 OK" in joined
    assert "[bold]<b>" in joined
    assert SENTENCE.split()[-1] in joined


def test_console_log_has_the_table_and_where_the_page_is(tmp_path):
    screen.keep(tmp_path / "console.log")
    try:
        out(tmp_path)
    finally:
        screen.release()
    text = (tmp_path / "console.log").read_text(encoding="utf-8")
    assert "loss at init" in text
    assert f"page: {tmp_path / 'check.html'}" in text


def test_wandb_offline_gets_a_table_of_the_findings_and_the_page(tmp_path, messages, monkeypatch):
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    loggers = loggers_of({"logger": {"csv": {"_target_": "other"}, "wandb": OFFLINE}}, tmp_path)
    path = out(tmp_path, loggers)
    for logger in loggers:
        logger.close()
    (page,) = tmp_path.glob("wandb/offline-run-*/files/media/html/check/page_*.html")
    assert page.read_text() == path.read_text()
    (kept,) = tmp_path.glob("wandb/offline-run-*/files/media/table/check/records_*.table.json")
    table = json.loads(kept.read_text())
    assert table["columns"] == ["name", "status", "value", "expected", "why", "fix", "seconds"]
    assert [row[1] for row in table["data"]] == ["FAIL", "WARN", "OK"]
    assert table["data"][0][2:5:2] == ["4.612", SENTENCE]
    assert table["data"][0][6] == 0.25
    wandb.teardown()


def test_nothing_that_goes_wrong_with_wandb_ends_a_command(tmp_path, messages, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError("no room")

    monkeypatch.setattr(wandb, "init", fail)
    (logger,) = loggers_of({"logger": {"wandb": OFFLINE}}, tmp_path)
    assert out(tmp_path, [logger]).is_file()
    assert out(tmp_path, [logger, "no logger"]).is_file()
    assert sum("W&B: gave up (OSError: no room)" in str(line) for line in messages) == 1


def test_a_process_that_does_not_speak_for_the_run_has_no_loggers(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert loggers_of({"logger": {"wandb": OFFLINE}}, tmp_path) == []
