"""What was painted, with digests: so that a killed run goes on, and other settings begin anew."""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from shared.data_loader.files import file_digest, write_bytes

logger = logging.getLogger(__name__)

NAME = ".painted.log"
OURS = re.compile(r"((?:singleplayer|multiplayer)_\d{5}_\d)(\.(?:jpg|png|json))|\..*\.part")

Painted = Mapping[str, Mapping[str, str]]  # digests by id and suffix


class PaintedLog:
    """The log of a folder of painted pairs: a JSON line an id, after a line of the settings.

    A last line that was cut by a kill is not read: its views are painted again.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        """Read the log, and hold the files that it names to their digests."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / NAME
        self._header = json.dumps(settings, sort_keys=True)
        self.painted: dict[str, Mapping[str, str]] = {}
        lines = self.path.read_text(encoding="utf-8").split("\n") if self.path.is_file() else []
        if lines[:1] == [self._header]:
            for line in lines[1:-1]:
                name, digests = json.loads(line)
                if self._is_whole(name, digests):
                    self.painted[name] = digests
        elif lines:
            logger.info("%s was written with other settings: all is painted again", self.path)

    def _is_whole(self, name: str, digests: Mapping[str, str]) -> bool:
        paths = [(self.folder / f"{name}{suffix}", digest) for suffix, digest in digests.items()]
        return all(path.is_file() and file_digest(path) == digest for path, digest in paths)

    def tidy(self, wanted: Iterable[str]) -> None:
        """Forget what is no longer wanted, and remove the demo world's files that are not named."""
        names = set(wanted)
        self.painted = {name: files for name, files in self.painted.items() if name in names}
        for path in self.folder.iterdir():
            found = OURS.fullmatch(path.name)
            if found and found[2] not in self.painted.get(found[1] or "", {}):
                path.unlink(missing_ok=True)
        lines = [_line(name, files) for name, files in sorted(self.painted.items())]
        write_bytes(self.path, "".join([self._header + "\n", *lines]).encode())

    def add(self, painted: Painted) -> None:
        """Append what was painted, all in one write."""
        self.painted.update(painted)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(_line(name, files) for name, files in painted.items()))


def _line(name: str, files: Mapping[str, str]) -> str:
    return json.dumps([name, dict(files)], separators=(",", ":")) + "\n"
