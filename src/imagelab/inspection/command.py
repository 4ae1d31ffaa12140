"""Write commands on a folder of pictures, quoted to paste into a shell.

Source: https://hydra.cc/docs/advanced/override_grammar/basic/#quoted-values
"""

import shlex

from imagelab.config.hydra_internals import quoted

FOLDER = "imagelab.data.folder.Folder"  # `_target_` of data=folder


def on_folder(command: str, *words: str, root: str, manifest: str | None) -> str:
    """An `imagelab` command with `data=folder`, its paths and other words.

    >>> print(on_folder("train", root="my photos", manifest=None))
    imagelab train data=folder 'data.root="my photos"'
    """
    paths = {"data.root": root} | ({"data.manifest": manifest} if manifest else {})
    quotes = [f"{key}={quoted(value)}" for key, value in paths.items()]
    return shlex.join(["imagelab", command, "data=folder", *quotes, *words])
