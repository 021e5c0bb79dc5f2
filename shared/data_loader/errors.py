"""What can go wrong with data lists, stores and downloads: few classes, one base."""

from collections.abc import Sequence

SHOWN = 5  # how many examples an error names


class DataListError(ValueError):
    """A list, a store or a file is not what was asked for; the base of this package's errors."""


class MissingListError(DataListError, FileNotFoundError):
    """A data list that a step needs has not been written yet."""


class UnsafeNameError(DataListError):
    """A name from a list, a server or an archive that must not become a file name."""


class DownloadError(DataListError):
    """Files that could not be fetched; what could be is in place, the next run fetches the rest."""


def first_few(items: Sequence[object]) -> str:
    """The first items, one a line and indented, and how many more there are."""
    lines = [f"  {item}" for item in items[:SHOWN]]
    if len(items) > SHOWN:
        lines.append(f"  ... and {len(items) - SHOWN:,} more")
    return "\n".join(lines)
