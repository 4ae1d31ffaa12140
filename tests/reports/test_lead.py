"""The top of a report has what a reader needs, and no internal numbers of the rules."""

from imagelab.finding import Finding
from imagelab.reports.advice import Advice
from imagelab.reports.image_parts import Figure
from imagelab.reports.lead import lead
from imagelab.reports.states import Verdict

JUDGED = Verdict(state="overfitting", numbers={"val_rise": 0.3}, why="It <rose>.")
STEP = Advice("Augment.", "imagelab train 'augment=[crop]'")


def finding(name: str, status, value: object, why: str = "", fix: str = "") -> Finding:
    return Finding(name=name, status=status, value=value, expected="", why=why, fix=fix)


def test_the_verdict_the_next_step_and_the_figures_come_first():
    html = lead(JUDGED, STEP, [Figure("accuracy on val", "92.0%", "92 of 100")], [])
    assert '<span class="badge WARN">overfitting</span>It &lt;rose&gt;.' in html
    assert "<code>imagelab train &#x27;augment=[crop]&#x27;</code>" in html
    assert "<dt>accuracy on val</dt><dd>92.0%</dd><dd>92 of 100</dd>" in html
    assert "val_rise" not in html


def test_what_is_wrong_or_missing_is_named_and_the_rest_is_not():
    found = [
        finding("verdict", "WARN", "overfitting"),
        finding("run", "INFO", "stopped", "Best epoch 1 of 3."),
        finding("calibration error", "WARN", 0.21, "95% interval [0.1, 0.3].", "Divide by `2`."),
        finding("predictions", "INFO", None, "There is no best checkpoint."),
        finding("gradient norm", "OK", {"median": 1}),
    ]
    html = lead(JUDGED, STEP, [], found)
    assert html.count("<li>") == 3
    assert "Run: stopped. Best epoch 1 of 3." in html
    assert "Calibration error: 0.21. 95% interval [0.1, 0.3]. Divide by <code>2</code>." in html
    assert "Predictions: There is no best checkpoint." in html
    assert "<li>" not in lead(JUDGED, STEP, [], [finding("run", "INFO", "finished")])
