"""Where bodies go that are fetched: into memory, or into a file that a later run can go on with."""

from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from tqdm import tqdm


class Sink(Protocol):
    """Where a body goes; it may already hold the first part of it."""

    validator: str  # the ETag or date of what it holds, "" for unknown

    @property
    def size(self) -> int:
        """How many bytes it holds."""

    def write(self, chunk: bytes) -> None:
        """Add bytes."""

    def restart(self) -> None:
        """Forget what it holds."""


class MemorySink:
    """A body in memory."""

    def __init__(self) -> None:
        self.validator = ""
        self._chunks = bytearray()

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return len(self._chunks)

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self._chunks += chunk

    def restart(self) -> None:
        """Forget what it holds."""
        self._chunks.clear()
        self.validator = ""

    def body(self) -> bytes:
        """All of it."""
        return bytes(self._chunks)


class FileSink:
    """A body in a `.part` file beside its place; a `.tag` file keeps the validator of it."""

    def __init__(self, place: Path, bar: "tqdm[Any]") -> None:
        self._place = place
        self._bar = bar
        self._part = place.with_name(f".{place.name}.part")
        self._tag = place.with_name(f".{place.name}.tag")

    def __enter__(self) -> Self:
        self._file = self._part.open("ab", buffering=0)
        if not self.validator:
            self.restart()
        self._bar.update(self.size)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def validator(self) -> str:
        """The ETag or date of what it holds, or nothing."""
        return self._tag.read_text() if self._tag.is_file() else ""

    @validator.setter
    def validator(self, value: str) -> None:
        if value != self.validator:
            self._tag.write_text(value)

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return self._file.seek(0, 2)

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        view = memoryview(chunk)
        while len(view):
            view = view[self._file.write(view) or 0 :]
        self._bar.update(len(chunk))

    def restart(self) -> None:
        """Forget what it holds."""
        self._bar.update(-self.size)
        self._file.truncate(0)
        self._tag.unlink(missing_ok=True)

    def finish(self) -> None:
        """Put the whole file in its place."""
        self._part.replace(self._place)
        self._tag.unlink(missing_ok=True)
