"""What inspect says of columns that the network would see besides the image."""

import numpy as np
import pytest
from PIL import Image

from imagelab.data.signals import fit_columns
from imagelab.inspection.scan import scan
from imagelab.inspection.signals import signal_columns, told_alone
from tests.inspection.looked_at import collection, config_of

COUNT = 80
CHANGES = {"signals": ["image", "age", "site", "copy", "same"]}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Findings on an age that helps, a site that does not, a copy of the label, and a constant."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    lines = ["file,label,split,age,site,copy,same"]
    for place in range(COUNT):
        label = int(rng.integers(2))
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(root / f"{place:03}.png")
        age = "" if place % 10 == 3 else f"{40 + 20 * label + rng.normal(0, 12):.1f}"
        split = "val" if place % 5 == 0 else "train"
        site = "z" if place == 5 else "xy"[rng.integers(2)]
        lines.append(f"{place:03}.png,{'ab'[label]},{split},{age},{site},{['no', 'yes'][label]},1")
    (root / "labels.csv").write_text("\n".join(lines))
    seen = scan(collection(root, {}, **CHANGES), root)
    answer = signal_columns(seen, config_of(root, **CHANGES), root)
    assert "Signals" in answer.sections[0].title
    return {finding.name: finding for finding in answer.findings}


def test_a_column_that_tells_the_label_alone_is_named(found):
    shares = {name: found[f"labels told by {name} alone"] for name in ("age", "site", "copy")}
    assert {name: one.status for name, one in shares.items()} == {"age": "OK", "site": "OK", "copy": "WARN"}
    assert float(shares["copy"].value.partition("%")[0]) == 100
    assert float(shares["age"].value.partition("%")[0]) > float(shares["site"].value.partition("%")[0])


def test_ranges_missing_and_new_values_and_constants_are_said(found):
    assert f"{COUNT // 10} of {COUNT} are missing" in found["signal age"].why
    assert found["signal site"].status == "WARN"
    assert "z only outside train" in found["signal site"].why
    assert found["signal same"].status == "FAIL"
    assert "is 1 in all training images" in found["signal same"].why


def test_the_share_is_that_of_a_known_mixture():
    rng = np.random.default_rng(0)
    number = rng.normal(size=4000)
    cells = np.array([f"{one:.4f}" for one in number])
    noisy = (number + rng.normal(size=4000))[:, None].astype(
        np.float32
    )  # half of the variance is the number's
    (column,) = fit_columns(["age"], cells[:, None])
    assert told_alone(column, cells, noisy) == pytest.approx(0.5, abs=0.03)
    assert abs(told_alone(column, cells, rng.normal(size=(4000, 1)).astype(np.float32))) < 0.03
