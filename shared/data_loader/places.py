"""Where the package keeps what it remembers; all of it may be deleted at any time."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from shared.paths import root

try:
    import fcntl
except ImportError:  # Windows: no locks there; every write is whole, so only work is doubled
    fcntl = None  # type: ignore[assignment]


def memory_folder() -> Path:
    """The folder of digests, snapshots, listings, tables of records and locks."""
    return root() / ".cache" / "data-loader"


def short_key(text: str) -> str:
    """A file name for what is remembered under a long key."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time in what goes by this name; a process that dies lets go of it."""
    path = memory_folder() / "locks" / f"{short_key(name)}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
