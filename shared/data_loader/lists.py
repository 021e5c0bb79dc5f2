"""Data lists: the committed text files that pin the pairs of a step, line by line.

The format is described in `data-lists/README.md`.
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq
from pathlib import Path

from shared.data_loader.errors import DataListError, MissingListError
from shared.data_loader.files import DIGEST_LENGTH, digest_of, write_bytes
from shared.data_loader.list_lines import read_plain_lines
from shared.data_loader.names import IMAGE_SUFFIXES, check_name, id_of_line, split_name
from shared.paths import lists_folder, root, shown

FORMAT = "lost-and-found data list, format 1"
DIGEST_HEADER = f"sha256, first {DIGEST_LENGTH} hex digits; of the image, then of the record"

_HEX = f"[0-9a-f]{{{DIGEST_LENGTH}}}"
_LINE = re.compile(rf"(?P<id>.+) (?P<image>{_HEX}) (?P<record>{_HEX})(?: (?P<suffix>\.\w+))?")
_EXPECTED = (
    f"'<id> <image digest> <record digest>' with digests of {DIGEST_LENGTH} hex digits "
    "(and, where it differs from the header's, the image's suffix)"
)


@dataclass(frozen=True)
class DataList:
    """A data list in memory: the ids in order, and what is pinned of each.

    A list of names alone, as Lost & Found wrote them, has no digests (`is_pinned` is false).
    """

    ids: Sequence[str]
    image_digests: Sequence[str]
    record_digests: Sequence[str]
    suffix: str = ".jpg"
    other_suffixes: Mapping[str, str] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)
    read_digest: str = ""  # of the lines it was read from

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_pinned(self) -> bool:
        """Whether there are digests."""
        return len(self.image_digests) == len(self.ids)

    def suffix_of(self, name: str) -> str:
        """The suffix of an id's image."""
        return self.other_suffixes.get(name, self.suffix)

    def lines(self) -> Iterator[str]:
        """The pair lines, without line ends."""
        if not self.is_pinned:
            yield from self.ids
            return
        other = self.other_suffixes
        for name, image, record in zip(
            self.ids, self.image_digests, self.record_digests, strict=True
        ):
            line = f"{name} {image} {record}"
            yield f"{line} {other[name]}" if name in other else line

    def digest(self) -> str:
        """sha256 of the pair lines, cut to 32 hex digits: what a checkpoint records of its data."""
        return self.read_digest or digest_of("".join(f"{line}\n" for line in self.lines()).encode())


def list_path(dataset: str, step: str) -> Path:
    """Where the list of a step of a data set is committed."""
    return (
        lists_folder(check_name(dataset, "of a data set")) / f"{check_name(step, 'of a step')}.txt"
    )


def list_digest(dataset: str, step: str) -> str:
    """The digest of a list's pair lines (32 hex digits), whatever its header says."""
    data = _read_bytes(list_path(dataset, step), dataset, step)
    return digest_of(memoryview(data)[_header_end(data) :])


def write_list(path: Path, pinned: DataList, header: Mapping[str, str]) -> None:
    """Write a list, whole or not at all.

    Args:
        path: the file.
        pinned: what to pin; its ids are sorted already.
        header: `dataset`, `step`, `source` and `made` (how the pairs were chosen).
    """
    if list(pinned.ids) != sorted(set(pinned.ids)):
        msg = f"{shown(path)}: expected sorted ids, each once"
        raise DataListError(msg)
    head = {
        **header,
        "digest": DIGEST_HEADER,
        "image suffix": pinned.suffix,
        "pairs": str(len(pinned)),
    }
    lines = [f"# {FORMAT}", *(f"# {key}: {_one_line(value)}" for key, value in head.items())]
    write_bytes(path, "".join(f"{line}\n" for line in [*lines, *pinned.lines()]).encode())


def read_list(path: Path, dataset: str = "", step: str = "") -> DataList:
    """Read a list: ours, or one of Lost & Found's, which holds file names only.

    Raises:
        MissingListError: there is no such file.
        DataListError: a line is not as it must be; the error says where, what was expected and got.
    """
    data = _read_bytes(path, dataset, step)
    if not data.startswith(b"#"):
        return _read_names(data.decode(), path)
    end = _header_end(data)
    header = _read_header(data[:end].decode(), path)
    pinned = _read_lines(data, end, header, path)
    if len(pinned) != int(header["pairs"]):
        msg = (
            f"{shown(path)}: expected {int(header['pairs']):,} pairs as its header says, got "
            f"{len(pinned):,} lines of pairs; a merge or an edit has cut it: take it from git again"
        )
        raise DataListError(msg)
    return pinned


def read_names(path: Path) -> list[str]:
    """The ids of any list, sorted: of ours, or of one of Lost & Found's, wherever it lies."""
    return list(read_list(path).ids)


def _read_bytes(path: Path, dataset: str, step: str) -> bytes:
    """A list's bytes: UTF-8, with plain line ends (git on Windows may change them)."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingListError(_missing(path, dataset, step)) from None
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            got = f"byte 0x{data[error.start]:02x}"
            msg = f"{shown(path)}, line {line}: expected UTF-8 text, got {got}"
            raise DataListError(msg) from error
    data = data.removeprefix(codecs.BOM_UTF8)
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


def _missing(path: Path, dataset: str, step: str) -> str:
    number = step.split("-")[0]
    folders = [
        *root().glob(f"2-data-processing/{number}-*"),
        *root().glob(f"{number}-data-collection"),
    ]
    maker = " or ".join(shown(folder) for folder in folders) or "the step before"
    there = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt"))) or "none"
    return (
        f"no data list {shown(path)}: it is written by a notebook in {maker}, run for data set "
        f"{dataset!r} with may_write_lists=True; lists that are there: {there}"
    )


def _header_end(data: bytes) -> int:
    """Where the first line begins that is no header line."""
    found = re.compile(rb"^(?!#)", re.MULTILINE).search(data)
    return found.start() if found else len(data)


def _read_header(text: str, path: Path) -> dict[str, str]:
    lines = text.splitlines()
    if lines[0].removeprefix("#").strip() != FORMAT:
        msg = f"{shown(path)}, line 1: expected '# {FORMAT}', got {lines[0][:120]!r}"
        raise DataListError(msg)
    header = {}
    for line in lines[1:]:
        key, _, value = line.removeprefix("#").partition(":")
        header[key.strip()] = value.strip()
    for key, pattern in (("digest", "sha256"), ("image suffix", r"\."), ("pairs", r"\d+$")):
        if re.match(pattern, header.get(key, "")) is None:
            msg = (
                f"{shown(path)}: expected a header line '# {key}: ...' ({pattern}), "
                f"got {header.get(key)!r}"
            )
            raise DataListError(msg)
    _check_suffix(header["image suffix"], f"{shown(path)}, header")
    return header


def _read_lines(data: bytes, start: int, header: Mapping[str, str], path: Path) -> DataList:
    body = memoryview(data)[start:]
    table = read_plain_lines(body)
    if table is not None:
        suffix = header["image suffix"]
        return DataList(*table, suffix, {}, header, digest_of(body))
    first = data.count(b"\n", 0, start) + 1
    lines = str(body, "utf-8").removesuffix("\n").split("\n") if body else []
    found = [_read_line(line, f"{shown(path)}, line {n}") for n, line in enumerate(lines, first)]
    ids = [fields[0] for fields in found]
    _check_order(ids, path, first)
    other = {fields[0]: fields[3] for fields in found if fields[3]}
    for name, suffix in other.items():
        _check_suffix(suffix, f"{shown(path)}, pair {name}")
    return DataList(
        ids,
        [fields[1] for fields in found],
        [fields[2] for fields in found],
        header["image suffix"],
        other,
        header,
        digest_of(body),
    )


def _read_line(line: str, where: str) -> tuple[str, str, str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        n = len(line.split())
        msg = f"{where}: expected {_EXPECTED}, got {n} fields; the line is {line[:160]!r}"
        raise DataListError(msg)
    return (
        check_name(match["id"], f"in {where}"),
        match["image"],
        match["record"],
        match["suffix"] or "",
    )


def _check_order(ids: Sequence[str], path: Path, first: int) -> None:
    ordered = sorted(ids)
    if ids != ordered:
        at = next(i for i, (a, b) in enumerate(zip(ids, ordered, strict=True)) if a != b)
        msg = (
            f"{shown(path)}, line {first + at}: expected ids in order, so {ordered[at]!r} here, "
            f"got {ids[at]!r}"
        )
        raise DataListError(msg)
    if any(map(eq, ids, ids[1:])):
        at = next(i for i in range(1, len(ids)) if ids[i] == ids[i - 1])
        msg = f"{shown(path)}, line {first + at}: expected each id once, got {ids[at]!r} again"
        raise DataListError(msg)


def _check_suffix(suffix: str, where: str) -> None:
    if suffix.lower() not in IMAGE_SUFFIXES:
        msg = f"{where}: expected an image suffix of {', '.join(IMAGE_SUFFIXES)}, got {suffix!r}"
        raise DataListError(msg)


def _read_names(text: str, path: Path) -> DataList:
    """Read a list of file names: of images, of records, of both, or bare ids."""
    suffixes: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped:
            continue
        name = check_name(id_of_line(stripped), f"in {shown(path)}, line {number}")
        parts = split_name(stripped.rpartition("/")[2])
        suffix = parts[1] if parts and parts[1].lower() in IMAGE_SUFFIXES else ""
        suffixes[name] = suffix or suffixes.get(name, "")
    if not suffixes:
        msg = f"{shown(path)}: expected a data list, got an empty file"
        raise DataListError(msg)
    ids = sorted(suffixes)
    most = main_suffix([s for s in suffixes.values() if s])
    other = {name: suffixes[name] for name in ids if suffixes[name] not in ("", most)}
    return DataList(ids, [], [], most, other)


def main_suffix(suffixes: Sequence[str]) -> str:
    """The suffix that most images have; of equals the first in the alphabet. `.jpg` for none."""
    counts = {suffix: suffixes.count(suffix) for suffix in set(suffixes)}
    return min(counts, key=lambda suffix: (-counts[suffix], suffix), default=".jpg")


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
