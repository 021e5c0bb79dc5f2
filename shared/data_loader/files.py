"""Writing whole files: to a temporary name in the same folder, then renamed over the old one."""

import hashlib
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.data_loader.errors import DataListError
from shared.paths import shown

DIGEST_LENGTH = 32  # hex digits of sha256 that lists keep: 128 bits
_CHUNK = 1 << 20
_numbers = itertools.count()


def digest_of(data: bytes | memoryview) -> str:
    """sha256 of some bytes, cut to 32 hex digits."""
    return hashlib.sha256(data).hexdigest()[:DIGEST_LENGTH]


def file_digest(path: str | os.PathLike[str]) -> str:
    """sha256 of a file, cut to 32 hex digits."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (a third quicker than Path.open)
        state = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            state.update(chunk)
        return state.hexdigest()[:DIGEST_LENGTH]


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; its folder is made where it is absent."""
    write_with(path, lambda temporary: temporary.write_bytes(data))


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let a function write a file whole or not at all; its folder is made where it is absent.

    Args:
        path: the file.
        write: writes to the temporary path that it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:60]}.{os.getpid()}-{next(_numbers)}.part")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, obj: object) -> None:
    """Write an object as JSON (UTF-8, sorted keys, one line), whole or not at all."""
    text = json.dumps(obj, ensure_ascii=False, sort_keys=True, allow_nan=False)
    write_bytes(Path(path), (text + "\n").encode())


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a record: a JSON object.

    Raises:
        DataListError: the file is no JSON, or its JSON is no object.
    """
    return parse_record(Path(path).read_bytes(), shown(Path(path)))


def parse_record(data: bytes, where: str) -> dict[str, Any]:
    """A record from its bytes.

    Raises:
        DataListError: they are no JSON object; `where` says in the error whose they are.
    """
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        msg = f"{where}: expected a JSON object, got {data[:60]!r} ({error})"
        raise DataListError(msg) from error
    if not isinstance(record, dict):
        kind = type(record).__name__
        msg = f"{where}: expected a JSON object, got {kind}: {data[:60]!r}"
        raise DataListError(msg)
    return record
