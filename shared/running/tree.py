"""The order of the notebooks, read from the numbers of their folders.

A notebook is named by its path below the root without `.ipynb`: `"3-training/country"`.
"""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

from shared.running.errors import RunError

_NUMBERED = re.compile(r"(\d+)-(.+)")


def find_notebooks(root: Path) -> list[str]:
    """All notebooks in the numbered folders below the root, in the order in which they run.

    Folders run in the natural order of their numbers, after the notebooks that lie beside them;
    folders without a number (`explore/`) run last. Names that begin with a dot are left out.
    """
    numbered = [folder for folder in _folders(root) if _NUMBERED.fullmatch(folder.name)]
    found = [path for folder in numbered for path in _below(folder)]
    return [path.relative_to(root).with_suffix("").as_posix() for path in found]


def in_folders(notebooks: Iterable[str]) -> list[list[str]]:
    """The notebooks of each folder together: these may run side by side."""
    return [list(group) for _, group in groupby(notebooks, key=folder_of)]


def folder_of(notebook: str) -> str:
    """The folder of a notebook, which is its stage."""
    return notebook.rpartition("/")[0]


def matches(notebook: str, pattern: str) -> bool:
    """Whether a pattern names a notebook or a folder above it.

    `*` and `?` stand for characters of one name, not for a slash: `2-data-processing/*/*`.
    """
    parts, wanted = notebook.split("/"), _tidy(pattern).split("/")
    pairs = zip(parts, wanted, strict=False)
    return len(wanted) <= len(parts) and all(fnmatchcase(part, want) for part, want in pairs)


def select_run(
    notebooks: Sequence[str], patterns: Iterable[str], where: str, key: str = "run"
) -> list[str]:
    """The notebooks that a data set names.

    Args:
        notebooks: all of them, in order.
        patterns: `[notebooks] run` or `also` of its `dataset.toml`.
        where: that file's path, for the error.
        key: `"run"` or `"also"`, for the error.

    Raises:
        RunError: a pattern matches no notebook.
    """
    wanted = list(patterns)
    for pattern in wanted:
        _check_known(pattern, notebooks, f"{where}, [notebooks] {key}")
    return [name for name in notebooks if any(matches(name, pattern) for pattern in wanted)]


def select(
    notebooks: Sequence[str],
    first: str | None = None,
    last: str | None = None,
    only: Sequence[str] = (),
) -> list[str]:
    """Those of the notebooks that the command line asks for.

    Args:
        notebooks: what would run, in order.
        first: `--from`: a notebook or a folder to begin with.
        last: `--to`: a notebook or a folder to end with, inclusive.
        only: `--only`: notebooks, folders or patterns.

    Raises:
        RunError: a name matches nothing, or the last comes before the first.
    """
    for option, name in [("--from", first), ("--to", last), *(("--only", name) for name in only)]:
        if name is not None:
            _check_known(name, notebooks, option)
    start = _position(notebooks, first, min, 0)
    end = _position(notebooks, last, max, len(notebooks) - 1)
    if start > end:
        msg = f"Expected --from to come before --to, got --from {first} --to {last}."
        raise RunError(msg)
    chosen = notebooks[start : end + 1]
    return [name for name in chosen if not only or any(matches(name, pattern) for pattern in only)]


def before(notebooks: Sequence[str], name: str) -> list[str]:
    """What a notebook or folder can stand on: the numbered folders before its own.

    Notebooks of one folder do not depend on each other, and none depends on a folder without a
    number.

    Raises:
        RunError: the name matches nothing.
    """
    _check_known(name, notebooks, "--before")
    own = folder_of(notebooks[_position(notebooks, name, min, 0)])
    first = next(n for n, notebook in enumerate(notebooks) if folder_of(notebook) == own)
    return [notebook for notebook in notebooks[:first] if _is_numbered(folder_of(notebook))]


def names_one_of(notebooks: Sequence[str], names: Iterable[str]) -> bool:
    """Whether each name or pattern matches a notebook or a folder of these."""
    return all(any(matches(notebook, name) for notebook in notebooks) for name in names)


def suggestion(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'x'?"`, or nothing where no known name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def _position(
    notebooks: Sequence[str], name: str | None, end: Callable[[list[int]], int], default: int
) -> int:
    if name is None:
        return default
    return end([index for index, notebook in enumerate(notebooks) if matches(notebook, name)])


def _check_known(pattern: str, notebooks: Sequence[str], option: str) -> None:
    if not any(matches(notebook, pattern) for notebook in notebooks):
        listed = ", ".join(notebooks) or "none"
        msg = (
            f"{option}: expected a notebook or a folder of notebooks, got '{pattern}'."
            f"{suggestion(_tidy(pattern), notebooks)} There are: {listed}."
        )
        raise RunError(msg)


def _tidy(pattern: str) -> str:
    return pattern.removeprefix("./").removesuffix(".ipynb").rstrip("/")


def _is_numbered(folder: str) -> bool:
    return all(_NUMBERED.fullmatch(part) for part in folder.split("/"))


def _below(folder: Path) -> Iterator[Path]:
    yield from sorted(
        (path for path in folder.glob("*.ipynb") if not path.name.startswith(".")),
        key=lambda path: _natural(path.stem),
    )
    for inner in _folders(folder):
        yield from _below(inner)


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        found = [Path(e.path) for e in entries if e.is_dir() and not e.name.startswith(".")]
    return sorted(found, key=lambda path: _natural(path.name))


def _natural(name: str) -> tuple[bool, int, str]:
    numbered = _NUMBERED.fullmatch(name)
    return (False, int(numbered[1]), numbered[2]) if numbered else (True, 0, name)
