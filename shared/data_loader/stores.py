"""Stores: where pairs lie, and what is there."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.data_loader.config import choice, option, source_of, source_options
from shared.data_loader.names import check_name
from shared.data_loader.pairs import Pair
from shared.paths import data_folder

logger = logging.getLogger(__name__)

NESTED_CHARACTERS = 2  # a nested folder has one folder for each first two characters of the ids


@dataclass(frozen=True)
class Store:
    """Where pairs lie and where missing ones come from.

    Attributes:
        images: the folder of the images.
        records: the folder of the records; often the same.
        nested: pairs lie in folders named by the first two characters of the id.
        remote: where missing files are fetched from: a URL (`http`, `https`, `s3`, `gs`, `hf` or
            any other of fsspec's) or a local path.
        archive: a zip that is copied whole and unpacked into the folders.
        remote_records: where records are fetched from, when not from `remote`.
        remote_options: options of fsspec for the remote.
    """

    images: Path
    records: Path
    nested: bool = False
    remote: str | None = field(default=None, repr=False)
    archive: Path | None = None
    remote_records: str | None = field(default=None, repr=False)
    remote_options: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    def image_path(self, name: str, suffix: str) -> str:
        """Where the image of an id belongs."""
        return (
            f"{self.images}/{name[:NESTED_CHARACTERS]}/{name}{suffix}"
            if self.nested
            else f"{self.images}/{name}{suffix}"
        )

    def record_path(self, name: str) -> str:
        """Where the record of an id belongs."""
        return (
            f"{self.records}/{name[:NESTED_CHARACTERS]}/{name}.json"
            if self.nested
            else f"{self.records}/{name}.json"
        )

    def pair(self, name: str, suffix: str) -> Pair:
        """The pair of an id, where it belongs."""
        return Pair(name, self.image_path(name, suffix), self.record_path(name))


def raw_store(dataset: str, source: str | None = None) -> Store:
    """The store of a data set's raw pairs, as it is configured.

    Args:
        dataset: the name of the data set.
        source: where missing files come from; before the environment, `.env` and `dataset.toml`.
    """
    check_name(dataset, "of a data set")
    folder = option("FOLDER", dataset)
    images = Path(folder).expanduser() if folder else data_folder("1-data-collection", dataset)
    apart = option("FOLDER_RECORDS", dataset)
    remote = source_of(dataset, source)
    is_zip = remote is not None and remote.partition("?")[0].lower().endswith(".zip")
    local_zip = Path(remote).expanduser() if remote and is_zip and "://" not in remote else None
    return Store(
        images=images,
        records=Path(apart).expanduser() if apart else images,
        nested=choice("STORE", ("flat", "nested"), dataset) == "nested",
        remote=None if local_zip else remote,
        archive=local_zip,
        remote_records=source_of(dataset, None, "SOURCE_RECORDS"),
        remote_options=source_options(dataset),
    )


def processed_store(dataset: str) -> Store:
    """The store of resized images and enriched records."""
    return Store(
        images=data_folder("2-data-processing/1-resize", dataset),
        records=data_folder("2-data-processing/2-enrich", dataset) / "countries",
    )
