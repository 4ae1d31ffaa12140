"""The batch size with the best test accuracy at a fixed rate."""

import json
import math

from imagelab.sweep.batch import FINDINGS
from tests.sweep.made import sweep


def accuracy(cfg):
    """Best at a ratio of rate to batch of 0.001 / 32, as after Smith & Le."""
    ratio = cfg["optimizer"]["lr"] / cfg["data"]["batch_size"]
    assert cfg["schedule"]["_target_"].endswith("Constant")
    return 1 - abs(math.log2(ratio * 32 / 0.001)) / 10 + 0.002 * cfg["seed"]


def test_the_best_batch_grows_with_the_rate_and_the_ratio_stays(tmp_path):
    found = {}
    for rate in (0.001, 0.004):
        words = ["-m", "sweep=batch", f"optimizer.lr={rate}", f"hydra.sweep.dir=at{rate}"]
        said = sweep(accuracy, *words, "sweep.sizes=[32,128]", "sweep.seeds=2", folder=tmp_path)
        assert said.status == 0, said.out + said.err
        assert "best" in said.out
        found[rate] = json.loads((tmp_path / f"at{rate}" / FINDINGS).read_text())
    assert (found[0.001]["best"], found[0.004]["best"]) == (32, 128)
    ratios = [content["sizes"][str(content["best"])]["rate_per_image"] for content in found.values()]
    assert ratios[0] == ratios[1]
    assert found[0.001]["metric"] == "test/accuracy"
    assert 0 < found[0.001]["sizes"]["32"]["half_width"] < 0.01
