"""`explain=true` adds heat maps to predictions and to the mistakes of a report."""

import re

from tests import in_process
from tests.test_predict import write_mixed


def test_predict_writes_a_page_with_two_pictures_per_readable_file(digits, tmp_path):
    write_mixed(tmp_path / "mixed")
    words = [f"run={digits}", "source=mixed", "explain=true", "output=out.csv"]
    said = in_process.imagelab("predict", *words, folder=tmp_path)
    assert said.status == 0, said
    page = (tmp_path / "out.html").read_text()
    assert page.count("<img") == 2 * 5
    assert "grey16.png: " in page
    refused = in_process.imagelab("predict", *words, "tta=flip", folder=tmp_path)
    assert "leave tta out" in refused.err


def test_a_report_explains_its_mistakes(digits):
    plain = in_process.imagelab("report", f"run={digits}", folder=digits)
    before = (digits / "report.html").read_text()
    said = in_process.imagelab("report", f"run={digits}", "explain=true", folder=digits)
    assert (plain.status, said.status) == (0, 0), said
    section = re.search(
        r"Where the network looked</h2>(.*?)</section>", (digits / "report.html").read_text(), re.S
    )
    assert section
    assert "Where the network looked" not in before
    pictures = section[1].count("<img")
    assert pictures > 0
    assert pictures % 2 == 0
