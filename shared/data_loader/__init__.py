"""The data-loader: pins every file of every run in a committed list, and fetches what is missing.

A step that makes a list calls `pin_pairs`, a step that reads one calls `load_pairs`. The format of
the lists and every option are described in `data-lists/README.md`.
"""

from shared.data_loader.errors import (
    DataListError,
    DownloadError,
    MissingListError,
    UnsafeNameError,
)
from shared.data_loader.files import read_record, write_json
from shared.data_loader.lists import list_digest, list_path, read_names
from shared.data_loader.pairs import Pair, stable_order
from shared.data_loader.pinning import load_pairs, pin_pairs
from shared.data_loader.records import read_records
from shared.data_loader.settings import DatasetSettings, dataset_settings
from shared.data_loader.stores import Store, processed_store, raw_store

__all__ = [
    "DataListError",
    "DatasetSettings",
    "DownloadError",
    "MissingListError",
    "Pair",
    "Store",
    "UnsafeNameError",
    "dataset_settings",
    "list_digest",
    "list_path",
    "load_pairs",
    "pin_pairs",
    "processed_store",
    "raw_store",
    "read_names",
    "read_record",
    "read_records",
    "stable_order",
    "write_json",
]
