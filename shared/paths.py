"""Where things are: every path of the project is derived here, from its root folder.

A *stage* is the path of a numbered folder below the root, with forward slashes:
`"1-data-collection"`, `"2-data-processing/1-resize"`.
"""

import os
from pathlib import Path

ROOT_VARIABLE = "LOST_AND_FOUND_ROOT"


def root() -> Path:
    """The project's root: `LOST_AND_FOUND_ROOT` of the environment, or the clone of this file."""
    return Path(os.environ.get(ROOT_VARIABLE) or Path(__file__).parents[1]).resolve()


def data_folder(stage: str, dataset: str) -> Path:
    """Where the notebooks of a stage write what they make for a data set (ignored by git)."""
    return root() / stage / ".data" / dataset


def lists_folder(dataset: str) -> Path:
    """Where a data set's `dataset.toml` and its pinned data lists are committed."""
    return root() / "data-lists" / dataset


def runs_folder(dataset: str) -> Path:
    """Where the runner keeps executed notebooks, logs and what it remembers of them."""
    return root() / "runs" / dataset


def shown(path: Path) -> str:
    """A path as it is shown to people: relative to the root where it lies below it."""
    absolute = Path(path).resolve()
    return str(absolute.relative_to(root())) if absolute.is_relative_to(root()) else str(absolute)
