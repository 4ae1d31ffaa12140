"""Find the weights of a network that lies on the Hugging Face hub: `hf:USER/NAME`, `hf:USER/NAME@REVISION`.

Source: https://huggingface.co/docs/huggingface_hub/guides/download
"""

from pathlib import Path

from imagelab.problem import Problem, first_line

PREFIX = "hf:"
RUN = "checkpoints"  # what a run has and such a folder has not
WEIGHTS, CONFIG = "model.safetensors", "config.json"


def weights_in(path: Path) -> Path:
    """The file of weights in a folder as the hub has it; any other path itself."""
    file = path / WEIGHTS
    return file if file.is_file() and not (path / RUN).exists() else path


def local(path: str | Path) -> Path:
    """A path on this machine: that of the folder with the hub's files, downloaded once, or the path itself.

    Raises:
        Problem: The hub has no such network, or cannot be reached.
    """
    text = str(path)
    if not text.startswith(PREFIX):
        return Path(path).expanduser()
    from huggingface_hub import snapshot_download

    name, _, revision = text.removeprefix(PREFIX).partition("@")
    try:
        folder = snapshot_download(name, revision=revision or None, allow_patterns=[WEIGHTS, CONFIG])
    except Exception as error:  # of the hub's client, of its transport, of the disk
        raise Problem(f"{text}: the Hugging Face hub did not give it: {first_line(error)}") from error
    if not (Path(folder) / WEIGHTS).is_file():
        raise Problem(
            f"{text}: there is no {WEIGHTS}; other files of weights may hold code, and are not read"
        )
    return Path(folder)
