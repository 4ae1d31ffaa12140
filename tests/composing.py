"""Compose configs in a third of the time: tests compose thousands, and Hydra does all again for each."""

import functools
import pickle
from pathlib import Path

from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.hydra import Hydra


def compose_each_list_once() -> None:
    """Make Hydra keep what it read and merged until a file changes: a command composes its choices twice."""
    _parse_each_file_once()
    _know_the_mode()
    merged: dict[tuple, bytes] = {}
    merge = ConfigLoaderImpl._compose_config_from_defaults_list

    @functools.wraps(merge)
    def compose(self: ConfigLoaderImpl, defaults: list, repo: ConfigRepository):
        files = [_files(repo, default.config_path) for default in defaults]
        key = (*map(repr, defaults), *((file, _changed(file)) for found in files for file in found))
        if key not in merged:
            merged[key] = pickle.dumps(merge(self, defaults, repo))
        return pickle.loads(merged[key])

    ConfigLoaderImpl._compose_config_from_defaults_list = compose


def _know_the_mode() -> None:
    """Compose a third time only for words that may set Hydra's mode: none of our files does."""
    ask = Hydra.get_mode

    @functools.wraps(ask)
    def get_mode(self: Hydra, config_name: str, overrides: list[str]):
        return ask(self, config_name, overrides) if any("hydra." in word for word in overrides) else None

    Hydra.get_mode = get_mode


def _parse_each_file_once() -> None:
    """Make Hydra keep what it read until a file changes, and map choices only where a default names one."""
    seen: dict[tuple, bytes] = {}
    read, look_up = ConfigRepository.load_config, defaults_list._create_interpolation_map

    @functools.wraps(read)
    def load_config(self: ConfigRepository, config_path: str):
        key = (config_path, *((file, _changed(file)) for file in _files(self, config_path)))
        if key not in seen:
            found = read(self, config_path)
            if found is None or found.path.startswith("structured"):  # registered, not read
                return found
            seen[key] = pickle.dumps(found)
        return pickle.loads(seen[key])

    @functools.wraps(look_up)
    def known_choices(overrides, defaults, self_added):
        named = any(default.is_interpolation() for default in defaults if not default.is_self())
        return look_up(overrides, defaults, self_added) if named else None

    ConfigRepository.load_config = load_config
    defaults_list._create_interpolation_map = known_choices


def _files(repo: ConfigRepository, config_path: str) -> list[Path]:
    """Where a config may lie on disk."""
    places = [source.path for source in repo.get_sources() if source.scheme() == "file"]
    return [Path(place, f"{config_path}.yaml") for place in places]


def _changed(file: Path) -> int | None:
    """When a file was written last; None: it is not there."""
    return file.stat().st_mtime_ns if file.exists() else None
