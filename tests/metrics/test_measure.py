import sys

import pytest

from imagelab.metrics.measure import function_at


def test_a_module_that_cannot_be_imported_is_not_reported_as_a_missing_function(tmp_path, monkeypatch):
    (tmp_path / "my_metric.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        function_at("my_metric.score")
    (tmp_path / "my_score.py").write_text("def score(): return 1\n")
    assert function_at("my_score.score")() == 1
    sys.modules.pop("my_score")
