"""Put first what a reader wants to know of a run: verdict, next step, its key figures and warnings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from imagelab.finding import Finding
from imagelab.metrics.table import ACCURACY
from imagelab.pages.wording import html, prose, words
from imagelab.reports.advice import Advice
from imagelab.reports.curves import Curves
from imagelab.reports.image_parts import Figure
from imagelab.reports.run_findings import PREDICTIONS, RUN, STATUS, VERDICT
from imagelab.reports.states import Verdict
from imagelab.terminal.summary import spent

Node = dict[str, Any]


def lead(judged: Verdict, step: Advice, figures: Sequence[Figure], findings: Sequence[Finding]) -> str:
    """The top of the page, as HTML.

    Args:
        judged: Verdict on the curves.
        step: Suggested next step.
        figures: Key figures.
        findings: All findings; the important ones are shown.
    """
    shown = "".join(
        f"<div><dt>{html(one.name)}</dt><dd>{html(one.value)}</dd><dd>{html(one.note)}</dd></div>"
        for one in figures
    )
    notes = "".join(_note(one) for one in findings if _matters(one))
    badge = f'<span class="badge {STATUS.get(judged.state, "WARN")}">{html(judged.state)}</span>'
    parts = [
        f'<p class="verdict">{badge}{prose(judged.why)}</p>',
        f"<p><strong>Next:</strong> {prose(f'{step.sentence} `{step.command}`')}</p>",
        f'<dl class="figures">{shown}</dl>' if shown else "",
        f'<ul class="notes">{notes}</ul>' if notes else "",
    ]
    return "\n".join(filter(None, parts))


def key_figures(results: Node, curves: Curves, images: Sequence[Figure], headline: str) -> list[Figure]:
    """The results and the cost of a run, as far as they are known.

    Args:
        results: Content of results.json; empty if there is none.
        curves: Curves of the run.
        images: Key figures on the images of a split.
        headline: Name of the metric that the run is judged by.
    """
    figures = [*_of_training(curves), *images, *_of_test(results, headline)]
    best = results.get("best") or {}
    seconds = results.get("train_seconds")
    if best.get("epoch") is not None:
        value = f"{best['monitor']} {best['value']:.4g}"
        figures.append(Figure("best epoch", f"{best['epoch'] + 1} of {results['epochs']}", value))
    if seconds:
        speed = f"{results['images_per_second']:,.0f} images per second"
        figures.append(Figure("training time", spent(seconds), speed))
    return figures


def _matters(finding: Finding) -> bool:
    """Whether a finding belongs at the top: something is wrong or missing, or the run did not finish."""
    if finding.name == RUN:
        return finding.value != "finished"
    return finding.name == PREDICTIONS or (finding.status in ("FAIL", "WARN") and finding.name != VERDICT)


def _note(finding: Finding) -> str:
    badge = f'<span class="badge {finding.status}">{finding.status}</span>'
    value = f"{words(finding.value)}. " if isinstance(finding.value, str | int | float) else ""
    name = html(finding.name[:1].upper() + finding.name[1:])
    return f"<li>{badge} {name}: {prose(f'{value}{finding.why} {finding.fix}'.strip())}</li>"


def _of_training(curves: Curves) -> list[Figure]:
    known = curves.train_accuracy[np.isfinite(curves.train_accuracy)]
    note = "last epoch, augmented images"
    return [Figure("accuracy on train", f"{known[-1]:.1%}", note)] if len(known) else []


def _of_test(results: Node, headline: str) -> list[Figure]:
    test = results.get("test") or {}
    note = f"{results.get('weights', '')} weights of the best epoch"
    if headline not in test:
        return []
    value = f"{test[headline]:.1%}" if headline == ACCURACY else f"{test[headline]:.4g}"
    return [Figure(f"{headline} on test", value, note)]
