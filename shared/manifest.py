"""What a notebook read and made: printed for people, and noted for the runner (`shared.pipeline`).

The runner names a file in `LOST_AND_FOUND_MANIFEST`; each call here adds one line of JSON to it.
Without that variable nothing is noted, and the outputs are still printed.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shared.paths import root

MANIFEST_VARIABLE = "LOST_AND_FOUND_MANIFEST"
DIGEST_HEX_DIGITS = 32  # as in the data lists
MAX_DIGESTED_BYTES = 2 * 1024**3  # larger files and folders are known by names, sizes and times


@dataclass(frozen=True)
class Fingerprint:
    """What a file or folder was like.

    Attributes:
        path: below the root with forward slashes, or absolute where it lies elsewhere.
        what: "file", "folder" or "absent".
        files: how many files it has (1 for a file).
        size: all their bytes.
        times: a digest of their names, sizes and times of change; cheap to take again.
        digest: a digest of their names and contents; "" where that is more than 2 GiB.
    """

    path: str
    what: str
    files: int
    size: int
    times: str
    digest: str


def note_inputs(paths: Iterable[Path | str]) -> None:
    """Note files and folders that the notebook reads: when one changes, it is run again.

    Args:
        paths: what is read. A path that does not exist is noted as absent.
    """
    if os.environ.get(MANIFEST_VARIABLE):
        for path in paths:
            _note({"kind": "input", **asdict(fingerprint(Path(path)))})


def report_outputs(
    paths: Iterable[Path | str],
    headline: Mapping[str, object] | None = None,
    report: Path | str | None = None,
) -> None:
    """Print what the notebook made (path, rows or files, digest), and note it for the runner.

    Args:
        paths: files and folders that were written, at least one.
        headline: figures that the runner shows again at its end, such as `{"top-1": "61 %"}`.
        report: a page to open in a browser, which the runner names at its end.

    Raises:
        FileNotFoundError: if one of the outputs does not exist.
        ValueError: if there are no outputs.
    """
    outputs = [Path(path) for path in paths] + ([Path(report)] if report is not None else [])
    if not outputs:
        msg = "Expected at least one output to report, got none. Name the files that were written."
        raise ValueError(msg)
    for path in dict.fromkeys(outputs):
        made = fingerprint(path)
        if made.what == "absent":
            msg = f"Expected the output '{made.path}', found none. Write it before it is reported."
            raise FileNotFoundError(msg)
        print(f"{made.path}: {_amount(path, made)}, digest {made.digest or '(more than 2 GiB)'}")  # noqa: T201 - shown in notebooks
        _note({"kind": "output", **asdict(made)})
    for name, value in (headline or {}).items():
        print(f"{name}: {value}")  # noqa: T201 - shown in notebooks
        _note({"kind": "headline", "name": str(name), "value": str(value)})
    if report is not None:
        _note({"kind": "report", "path": _relative(Path(report))})


def fingerprint(path: Path) -> Fingerprint:
    """Take the fingerprint of a file or a folder (with everything below it) as it is now."""
    path = Path(path)
    found = _found(path)
    size = sum(entry[1] for entry in found)
    digest = _digest(path, [entry[0] for entry in found]) if size <= MAX_DIGESTED_BYTES else ""
    return Fingerprint(_relative(path), _what(path), len(found), size, _times(found), digest)


def is_unchanged(before: Fingerprint) -> bool:
    """Whether something is still what it was: by names, sizes and times, else by contents."""
    path = root() / before.path
    if _what(path) != before.what:
        return False
    if _times(_found(path)) == before.times:
        return True
    return bool(before.digest) and fingerprint(path).digest == before.digest


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """The notes of a manifest file, in order; none if it was never written."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _what(path: Path) -> str:
    return "folder" if path.is_dir() else "file" if path.is_file() else "absent"


def _found(path: Path) -> list[tuple[str, int, int]]:
    """Name, bytes and time of change of each file, by name; a file's own name is left out."""
    if path.is_dir():
        return sorted(_walk(path))
    return [("", path.stat().st_size, path.stat().st_mtime_ns)] if path.is_file() else []


def _times(found: list[tuple[str, int, int]]) -> str:
    return _short(hashlib.sha256(json.dumps(found).encode()))


def _walk(folder: Path, below: str = "") -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):  # caches and unfinished files
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{below}{entry.name}/")
            else:
                stat = entry.stat()
                yield f"{below}{entry.name}", stat.st_size, stat.st_mtime_ns


def _digest(path: Path, names: list[str]) -> str:
    """Of a file: its sha256, cut; of a folder: the sha256 of its names and their sha256s, cut."""
    if names == [""]:
        with path.open("rb") as file:
            return _short(hashlib.file_digest(file, "sha256"))
    whole = hashlib.sha256()
    for name in names:
        with (path / name).open("rb") as file:
            whole.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return _short(whole)


def _amount(path: Path, made: Fingerprint) -> str:
    if made.what == "folder":
        return f"{made.files:,} files"
    if path.suffix == ".parquet":
        from pyarrow.parquet import read_metadata  # type: ignore[import-untyped, unused-ignore]

        return f"{read_metadata(path).num_rows:,} rows"
    if path.suffix in {".csv", ".txt"}:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = sum(not line.startswith("#") for line in lines) - (path.suffix == ".csv")
        return f"{rows:,} rows"
    return f"{made.size:,} bytes"


def _note(line: dict[str, object]) -> None:
    if manifest := os.environ.get(MANIFEST_VARIABLE):
        with Path(manifest).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _relative(path: Path) -> str:
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link is named as it was given
    below = absolute.is_relative_to(root())
    return absolute.relative_to(root()).as_posix() if below else str(absolute)


def _short(sha: "hashlib._Hash") -> str:
    return sha.hexdigest()[:DIGEST_HEX_DIGITS]
