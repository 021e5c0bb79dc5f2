"""Writing whole files: to a temporary name in the same folder, then renamed over the old one."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from shared.data_loader.errors import DataListError
from shared.paths import shown

DIGEST_LENGTH = 32  # hex digits of sha256 that lists keep: 128 bits


def digest_of(data: bytes) -> str:
    """sha256 of some bytes, cut to 32 hex digits."""
    return hashlib.sha256(data).hexdigest()[:DIGEST_LENGTH]


def file_digest(path: str | os.PathLike[str]) -> str:
    """sha256 of a file, cut to 32 hex digits."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (a third quicker than Path.open)
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST_LENGTH]


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; its folder is made where it is absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent
    )
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101 (mkstemp gives 0600)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, obj: object) -> None:
    """Write an object as JSON (UTF-8, sorted keys, one line), whole or not at all."""
    text = json.dumps(obj, ensure_ascii=False, sort_keys=True, allow_nan=False)
    write_bytes(Path(path), (text + "\n").encode())


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a record: a JSON object.

    Raises:
        DataListError: the file is no JSON, or its JSON is no object.
    """
    data = Path(path).read_bytes()
    try:
        record = json.loads(data)
    except ValueError as error:
        msg = f"{shown(Path(path))}: expected a JSON object, got {data[:60]!r} ({error})"
        raise DataListError(msg) from error
    if not isinstance(record, dict):
        msg = f"{shown(Path(path))}: expected a JSON object, got {type(record).__name__}: {data[:60]!r}"
        raise DataListError(msg)
    return record


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
