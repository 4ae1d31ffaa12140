"""Pages as a browser without a window shows them: what became of the text, and what went wrong.

Source: https://developer.chrome.com/docs/chromium/headless
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-extensions", "--disable-background-networking", "--disable-component-update"),
    *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", "--dump-dom"),
)
MARK = "what-the-script-returned"


@dataclass(frozen=True)
class Loaded:
    """A page after its scripts have run.

    Args:
        dom: The document as text.
        returned: What the test's own script returned.
        errors: What the browser's console said: errors, and what the page's policy kept from being loaded.
    """

    dom: str
    returned: Any
    errors: list[str]


def load(path: Path, script: str = "return null", *flags: str) -> Loaded:
    """Open a page from its file, then run a script in it; skip the test where there is no browser.

    Args:
        path: The page, which is left as it is.
        script: The body of an asynchronous JavaScript function, which returns plain data.
        flags: More of the browser's own.
    """
    tried = path.with_name(f"{path.stem}-tried.html")
    tried.write_text(with_script(path.read_text(encoding="utf-8"), script), encoding="utf-8")
    return visit(tried.absolute().as_uri(), path.with_name("profile"), *flags)


def visit(url: str, profile: Path, *flags: str) -> Loaded:
    """Open a page that `with_script` has changed; skip the test where there is no browser.

    Args:
        url: Where the page is.
        profile: Folder for the browser to write into, which is removed.
        flags: More of the browser's own.
    """
    browser = _browser()
    if browser is None:
        pytest.skip(f"no {NAMES[0]} to look at pages with: apt-get install chromium")
    command = [browser, *FLAGS, *flags, f"--user-data-dir={profile}", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    shutil.rmtree(profile, ignore_errors=True)
    found = re.search(rf'<pre id="{MARK}">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the script did not run to its end:\n{done.stderr[-2000:]}"
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Loaded(done.stdout, json.loads(unescape(found[1])), errors)


@cache
def _browser() -> str | None:
    """The first that starts: of some, only a note is installed that says where to get them."""
    for path in filter(None, map(shutil.which, NAMES)):
        if subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0:
            return path
    return None


def with_script(page: str, script: str) -> str:
    """The page with one script more, which its policy is told of."""
    code = (
        f'(async () => {{ {script} }})().then(found => {{ const pre = document.createElement("pre");'
        f'pre.id = "{MARK}"; pre.textContent = JSON.stringify(found); document.body.append(pre); }});'
    )
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    page = page.replace("script-src '", f"script-src 'sha256-{digest}' '", 1)
    return page.replace("</body>", f"<script>{code}</script></body>")
