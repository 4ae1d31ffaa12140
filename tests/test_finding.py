"""The findings that every command's JSON, table and page come from."""

import json
from dataclasses import replace

from imagelab import finding
from imagelab.finding import STATUSES, Finding

ONE = Finding(name="loss at init", status="OK", value=2.31, expected="2.30", why="ln 10", fix="")


def test_the_worst_of_many_is_the_most_urgent():
    assert [finding.worst([replace(ONE, status=status), ONE]) for status in STATUSES] == [
        "FAIL",
        "WARN",
        "OK",
        "OK",
    ]
    assert finding.worst([]) == "INFO"


def test_findings_come_back_from_their_file_as_they_were(tmp_path):
    findings = [ONE, replace(ONE, value=[1, None, "a"], status="FAIL", seconds=0.25)]
    (tmp_path / "check.json").write_text(json.dumps(finding.plain(findings)))
    assert finding.read(tmp_path / "check.json") == findings


def test_a_finding_knows_how_long_it_took():
    with finding.timed() as seconds:
        sum(range(100_000))
    assert finding.taking(ONE, seconds[0]).seconds == round(seconds[0], 3) > 0
