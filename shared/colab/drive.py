"""Finds a mounted Drive, and what lies there for a data set.

Below `<drive>/lost-and-found/`, or below the folder that `--drive` names:
`<dataset>.zip` (pairs, copied whole and unpacked), or `<dataset>/` (pairs, flat or nested by the
first two characters), and `<dataset>-processed.zip` (what stage 2 made: its paths are those below
the project's root, `2-data-processing/...`).
"""

import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shared.colab.errors import ColabError

FOLDER = "lost-and-found"
DRIVE_VARIABLE = "LOST_AND_FOUND_DRIVE"
CONTENT_VARIABLE = "LOST_AND_FOUND_CONTENT"  # stands for /content, in tests
_PROCESSED = "2-data-processing"


@dataclass(frozen=True)
class Drive:
    """What a Drive holds for a data set.

    Attributes:
        folder: where it was looked for.
        pairs: the zip or the folder of raw pairs.
        processed: the zip of what stage 2 made.
    """

    folder: Path
    pairs: Path | None
    processed: Path | None


def find_drive(dataset: str, given: str | None = None) -> Drive | None:
    """The Drive's folder and what it holds, or nothing where none is mounted.

    Args:
        dataset: the name of the data set.
        given: `--drive`, before the environment's `LOST_AND_FOUND_DRIVE`.

    Raises:
        ColabError: a Drive was named that is not there.
    """
    named = given or os.environ.get(DRIVE_VARIABLE)
    if named and not Path(named).is_dir():
        msg = f"Expected a mounted Drive at '{named}', which is no folder. Mount it first."
        raise ColabError(msg)
    content = Path(os.environ.get(CONTENT_VARIABLE, "/content"))
    places = [Path(named)] if named else [content / "drive" / "MyDrive"]
    for place in places:
        for folder in (place / FOLDER, *([place] if named else [])):
            if folder.is_dir():
                return _holds(folder, dataset)
    return None


def source_variable(dataset: str) -> str:
    """The data-loader's variable for where a data set's missing files come from."""
    return f"LOST_AND_FOUND_SOURCE_{dataset.upper().replace('-', '_').replace('.', '_')}"


def unpack_processed(archive: Path, root: Path) -> int:
    """Unpack what stage 2 made; files that are there with the same size are left.

    Returns:
        How many files were written.

    Raises:
        ColabError: a name in the zip leads elsewhere than below `2-data-processing/`.
    """
    written = 0
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.infolist():
            if entry.is_dir():
                continue
            target = root / _checked(entry.filename, archive)
            if target.exists() and target.stat().st_size == entry.file_size:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.part")
            with zipped.open(entry) as packed, temporary.open("wb") as file:
                shutil.copyfileobj(packed, file)
            temporary.replace(target)
            written += 1
    return written


def save_results(folder: Path, drive: Drive, dataset: str, stage: str) -> Path:
    """Copy a stage's results to the Drive: a Colab machine forgets its disk."""
    target = drive.folder / "results" / dataset / stage
    unfinished = target.with_name(f".{target.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(folder, unfinished, ignore=shutil.ignore_patterns("*.npy", ".*"))
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    return target


def _holds(folder: Path, dataset: str) -> Drive:
    zipped, plain = folder / f"{dataset}.zip", folder / dataset
    processed = folder / f"{dataset}-processed.zip"
    pairs = zipped if zipped.is_file() else plain if plain.is_dir() else None
    return Drive(folder, pairs, processed if processed.is_file() else None)


def _checked(name: str, archive: Path) -> str:
    path = PurePosixPath(name)
    is_safe = "\\" not in name and ".." not in path.parts and path.parts[:1] == (_PROCESSED,)
    if not is_safe:
        msg = f"{archive}: expected names below {_PROCESSED}/, got {name!r}. Make the zip again."
        raise ColabError(msg)
    return name
