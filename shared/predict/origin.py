"""What a checkpoint does not hold of itself: how its photos were made small, and by which data set.

New checkpoints say both in their `config.json`; of older ones it is read from where they lie.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.evaluation.inputs import find_checkpoint
from shared.paths import data_folder, lists_folder, root
from shared.processing.resize import ResizeSettings, settings_of
from shared.training.model_card import dataset_of

logger = logging.getLogger(__name__)

TASKS = ("country", "region", "coordinates", "grid", "city_clip")


def find_folder(checkpoint: str | Path, task: str = "") -> Path:
    """The folder of a checkpoint.

    Args:
        checkpoint: a folder, absolute, below the current one or below the project's root; or the
            name of a data set, for the best that was trained on it.
        task: one of `TASKS`; "": of a data set the first of these that there is.

    Raises:
        FileNotFoundError: when there is none; it names the notebook that writes it.
    """
    folder = Path(checkpoint)
    if (folder / "config.json").is_file():
        return folder
    name = str(checkpoint)
    if not task and (lists_folder(name) / "dataset.toml").is_file():
        places = (data_folder("3-training", name) / known / "best" for known in TASKS)
        found = [place for place in places if (place / "config.json").is_file()]
        if found:
            return found[0]
    return find_checkpoint(name, name, task or "country").folder


def resize_settings(config: Mapping[str, Any], folder: Path) -> ResizeSettings:
    """How 1-resize made the photos small that a model learned from.

    Args:
        config: `config.json` of the checkpoint.
        folder: where the checkpoint lies.
    """
    if known := config.get("resize"):
        return ResizeSettings(**known)
    dataset = config.get("dataset") or dataset_of(folder)
    if dataset and (found := settings_of(data_folder("2-data-processing/1-resize", dataset))):
        return found
    logger.warning(
        "The checkpoint does not say how its photos were made small: 320 x 180 is taken, "
        "which is what 2-data-processing/1-resize does when nothing else is said"
    )
    return ResizeSettings()


def shown_folder(folder: Path) -> str:
    """A checkpoint's folder below the root; elsewhere its name alone, which tells nothing private.

    Args:
        folder: where it lies.
    """
    absolute = folder.resolve()
    inside = absolute.is_relative_to(root())
    return absolute.relative_to(root()).as_posix() if inside else absolute.name
