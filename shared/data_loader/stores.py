"""Stores: where pairs lie, and what is there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.data_loader.config import choice, option, source_of, source_options
from shared.data_loader.names import check_name, split_name
from shared.data_loader.pairs import NESTED_CHARACTERS, Place
from shared.paths import data_folder


@dataclass(frozen=True)
class Store:
    """Where pairs lie and where missing ones come from.

    Attributes:
        images: the folder of the images.
        records: the folder of the records; often the same.
        nested: pairs lie in folders named by the first two characters of the id.
        remote: where missing files are fetched from: a URL (`http`, `https`, `s3`, `gs`, `hf` or
            any other of fsspec's) or a local path.
        archive: a zip, by its path or URL, that is copied whole and unpacked into the folders.
        remote_records: where records are fetched from, when not from `remote`.
        remote_options: options of fsspec for the remote.
    """

    images: Path
    records: Path
    nested: bool = False
    remote: str | None = field(default=None, repr=False)
    archive: str | Path | None = None
    remote_records: str | None = field(default=None, repr=False)
    remote_options: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    def place(self, suffix: str) -> Place:
        """Where pairs belong whose images end so."""
        return Place(str(self.images), str(self.records), self.nested, suffix)


def raw_store(dataset: str, source: str | None = None) -> Store:
    """The store of a data set's raw pairs, as it is configured.

    Args:
        dataset: the name of the data set.
        source: where missing files come from; before the environment, `.env` and `dataset.toml`.
    """
    check_name(dataset, "of a data set")
    folder = option("FOLDER", dataset)
    images = _local(folder) if folder else data_folder("1-data-collection", dataset)
    apart = option("FOLDER_RECORDS", dataset)
    remote = source_of(dataset, source)
    remote = _beside(remote)
    is_zip = remote is not None and remote.partition("?")[0].lower().endswith(".zip")
    layout = choice("STORE", ("auto", "flat", "nested"), dataset)
    return Store(
        images=images,
        records=_local(apart) if apart else images,
        nested=layout == "nested" or (layout == "auto" and _is_nested(images)),
        remote=None if is_zip else remote,
        archive=remote if is_zip else None,
        remote_records=source_of(dataset, None, "SOURCE_RECORDS"),
        remote_options=source_options(dataset),
    )


def processed_store(dataset: str) -> Store:
    """The store of resized images and enriched records."""
    return Store(
        images=data_folder("2-data-processing/1-resize", dataset),
        records=data_folder("2-data-processing/2-enrich", dataset) / "countries",
    )


def _beside(remote: str | None) -> str | None:
    """A local folder's zip, where there is no such folder but a zip of its name."""
    if remote is None or "://" in remote or Path(remote).expanduser().exists():
        return remote
    archive = Path(f"{remote.rstrip('/')}.zip").expanduser()
    return str(archive) if archive.is_file() else remote


def _local(path: str) -> Path:
    return Path(path).expanduser().absolute()


def _is_nested(folder: Path) -> bool:
    """Whether a folder holds folders of two characters and no file of a pair."""
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        for entry in entries:
            if split_name(entry.name) is not None:
                return False
            if len(entry.name) <= NESTED_CHARACTERS and entry.is_dir():
                return True
    return False
