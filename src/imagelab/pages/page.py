"""Make a page with the result of a command: one file that needs no network and runs only its own scripts.

Source: https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CSP (the scripts are allowed by their hashes)
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from imagelab.finding import STATUSES, Finding
from imagelab.pages.finding_table import finding_table
from imagelab.pages.wording import html, prose

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: Heading, in a few words; the page begins with a list of them.
        about: Description of the content and how to read it; text in backticks is code.
        body: HTML of `table`, `gallery`, `thumbnail`, or SVG of a chart, in any number.
        folded: Whether only the heading shows until a reader opens the section.
        script: Name of a script in this folder by which the body shows pictures beside the page, if any.
    """

    title: str
    about: str
    body: str
    folded: bool = field(default=False)
    script: str = field(default="")


def page(
    *, title: str, summary: str, findings: Sequence[Finding], sections: Sequence[Section], lead: str = ""
) -> str:
    """The text of an HTML file.

    Args:
        title: Title of the page.
        summary: Result in a sentence or two; text in backticks is code.
        findings: Findings, shown in the first table.
        sections: Sections after the findings.
        lead: HTML in place of summary and findings; empty: these are shown.
    """
    found = [Section("Findings", "", finding_table(findings))] if findings and not lead else []
    top = lead or f"<p>{prose(summary)}</p>{_counts(findings)}"
    parts = [*found, *sections]
    links = "".join(
        f'<li><a href="#{_anchor(i, part)}">{html(part.title)}</a></li>' for i, part in enumerate(parts)
    )
    bodies = "\n".join(_section(_anchor(i, part), part) for i, part in enumerate(parts))
    own = [part.script for part in parts if part.script]
    scripts = [_file(name) for name in ("page.js", *own)]
    style = _file("page.css")
    code = "\n".join(f"<script>{script}</script>" for script in scripts)
    policy = _policy(scripts, beside=bool(own))
    text = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{policy}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{html(title)}</h1>{top}</header>\n"
        f"<nav><ul>{links}</ul></nav>\n<main>\n{bodies}\n</main>\n"
        f"{code}\n</body>\n</html>\n"
    )
    return text.encode("utf-8", "backslashreplace").decode()  # a body may hold the bytes of a file's name


def row(*parts: str) -> str:
    """Charts or tables side by side, or below each other in a narrow window; empty ones are left out."""
    cells = "\n".join(f"<div>{part}</div>" for part in parts if part)
    return f'<div class="row">\n{cells}\n</div>'


def fold(heading: str, body: str) -> str:
    """A body that a click on its heading opens, both HTML."""
    return f"<details>\n<summary>{heading}</summary>\n{body}\n</details>"


def hash_of(script: str) -> str:
    """The hash by which the policy of a page allows a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _section(anchor: str, part: Section) -> str:
    about = f'<p class="about">{prose(part.about)}</p>\n' if part.about else ""
    heading = f"<h2>{html(part.title)}</h2>"
    if part.folded:  # a link to what is inside makes a browser open it
        inside = f'<div id="{anchor}">\n{about}{part.body}\n</div>'
        return f"<section>\n{fold(heading, inside)}\n</section>"
    return f'<section id="{anchor}">\n{heading}\n{about}{part.body}\n</section>'


def _anchor(place: int, part: Section) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", part.title.lower()).strip("-")
    return f"{words}-{place}" if words else f"part-{place}"


def _counts(findings: Sequence[Finding]) -> str:
    counts = {status: sum(finding.status == status for finding in findings) for status in STATUSES}
    badges = [
        f'<span class="badge {status}">{count} {status}</span>' for status, count in counts.items() if count
    ]
    return f'<div class="counts">{"".join(badges)}</div>'


def _policy(scripts: Sequence[str], *, beside: bool) -> str:
    runs = " ".join(f"'{hash_of(script)}'" for script in scripts)
    images = "data: 'self' file:" if beside else "data:"
    allowed = f"default-src 'none'; script-src {runs}; style-src 'unsafe-inline'; img-src {images}"
    return (
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}; base-uri \'none\'; '
        "form-action 'none'\">"
    )


@cache
def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
