"""Find weights elsewhere: `hf:USER/NAME[@REVISION]` (Hugging Face hub), `wandb:ENTITY/PROJECT/NAME` (W&B).

Source: https://huggingface.co/docs/huggingface_hub/guides/download;
https://docs.wandb.ai/models/artifacts/download-and-use-an-artifact
"""

from pathlib import Path

from imagelab.checkpoints.durable import BEST
from imagelab.problem import Problem, first_line
from imagelab.runs.find import HUGGING_FACE, WANDB

RUN = "checkpoints"  # what a run has and such a folder has not
WEIGHTS, CONFIG = "model.safetensors", "config.json"


def weights_in(path: Path) -> Path:
    """The file of weights in a folder as the hub has it; any other path itself."""
    file = path / WEIGHTS
    return file if file.is_file() and not (path / RUN).exists() else path


def local(path: str | Path) -> Path:
    """A path on this machine: of what `hf:` or `wandb:` names, downloaded once; or the path itself.

    That is a folder with the files of the Hugging Face hub, or the checkpoint of an artifact of W&B.

    Raises:
        Problem: The hub or W&B has no such network, or cannot be reached.
    """
    text = str(path)
    if text.startswith(WANDB):
        return artifact(text)
    if not text.startswith(HUGGING_FACE):
        return Path(path).expanduser()
    from huggingface_hub import snapshot_download

    name, _, revision = text.removeprefix(HUGGING_FACE).partition("@")
    try:
        folder = snapshot_download(name, revision=revision or None, allow_patterns=[WEIGHTS, CONFIG])
    except Exception as error:  # of the hub's client, of its transport, of the disk
        raise Problem(f"{text}: the Hugging Face hub did not give it: {first_line(error)}") from error
    if not (Path(folder) / WEIGHTS).is_file():
        raise Problem(
            f"{text}: there is no {WEIGHTS}; other files of weights may hold code, and are not read"
        )
    return Path(folder)


def artifact(text: str) -> Path:
    """The checkpoint of an artifact of a run, downloaded: `wandb:ENTITY/PROJECT/NAME[:VERSION]`.

    Raises:
        Problem: W&B has no such artifact, cannot be reached, or the artifact holds no checkpoint.
    """
    import wandb

    name = text.removeprefix(WANDB)
    name = name if ":" in name else f"{name}:latest"
    try:
        folder = Path(wandb.Api().artifact(name).download())
    except Exception as error:  # of its client, of its transport, of the disk
        raise Problem(f"{text}: W&B did not give it: {first_line(error)}") from error
    found = [file for file in (folder / BEST, folder / WEIGHTS) if file.is_file()]
    if not found:
        raise Problem(f"{text}: wants an artifact with {BEST} or {WEIGHTS}, such as logger=[wandb] uploads")
    return found[0]
