"""Names of pairs: which file belongs to which id, and which names are never let near a disk."""

import re
import unicodedata
from pathlib import PurePosixPath

from shared.data_loader.errors import UnsafeNameError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # in the order of preference
RECORD_SUFFIX = ".json"
# Lost & Found's own files: geoguessr_location_<id>.png beside geoguessr_result_<id>.json
ANCESTOR_IMAGE_PREFIX = "geoguessr_location_"
ANCESTOR_RECORD_PREFIX = "geoguessr_result_"
MAX_NAME_BYTES = 200  # file systems stop at 255; the rest is for temporary names

_PLAIN = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z_+,.\- ]{0,190}[0-9A-Za-z_+,\-])?")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_FORBIDDEN = frozenset('/\\<>:"|?*')


def check_name(name: str, where: str = "") -> str:
    """The name itself, where it is safe as the name of a file in one folder on any platform.

    Args:
        name: a file name or an id, without a folder.
        where: what to say of its origin in the error.

    Raises:
        UnsafeNameError: it is empty, hidden, too long or reserved, or holds a separator, `..`, a
            drive, a control character or a character that some platform forbids.
    """
    if _PLAIN.fullmatch(name) and ".." not in name and not _RESERVED.fullmatch(name):
        return name
    fault = _fault(name)
    if fault is None:
        return name
    msg = (
        f"unsafe name {name[:120]!r}{' ' if where else ''}{where}: {fault}; "
        "expected the plain name of a file, such as 'singleplayer_00042_1.jpg'"
    )
    raise UnsafeNameError(msg)


def is_safe(name: str) -> bool:
    """Whether `check_name` would let this name pass."""
    return bool(_PLAIN.fullmatch(name) and ".." not in name and not _RESERVED.fullmatch(name)) or (
        _fault(name) is None
    )


def split_name(name: str) -> tuple[str, str] | None:
    """The id and the suffix of a pair's file, or nothing for any other file.

    The suffix keeps its case. Hidden files are never a pair's. Lost & Found's own prefixes are
    taken off, so that its image and its record share an id.
    """
    if name.startswith("."):
        return None
    stem, dot, ending = name.rpartition(".")
    suffix = dot + ending
    lowered = suffix.lower()
    if not stem:
        return None
    if lowered == RECORD_SUFFIX:
        return stem.removeprefix(ANCESTOR_RECORD_PREFIX) or stem, suffix
    if lowered in IMAGE_SUFFIXES:
        return stem.removeprefix(ANCESTOR_IMAGE_PREFIX) or stem, suffix
    return None


def id_of_line(line: str) -> str:
    """The id that a line of a list of names means: a file name, perhaps in a folder, or an id."""
    name = PurePosixPath(line).name if "/" in line and ".." not in line else line
    parts = split_name(name)
    return parts[0] if parts else name


def _fault(name: str) -> str | None:
    if not name:
        return "it is empty"
    bad = next((c for c in name if c in _FORBIDDEN or unicodedata.category(c) in _UNSEEN), None)
    if bad is not None:
        return f"it holds the character {bad!r}"
    if ".." in name:
        return "it holds '..'"
    if name[0] in ". " or name[-1] in ". ":
        return "it begins or ends with a dot or a space"
    if _RESERVED.fullmatch(name):
        return "the name is reserved on some platforms"
    if len(name.encode(errors="replace")) > MAX_NAME_BYTES:
        return f"it is longer than {MAX_NAME_BYTES} bytes"
    return None


# control, format (bidirectional overrides), surrogate, line and paragraph separators
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
