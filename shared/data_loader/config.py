"""Configuration: an argument, the environment, `.env`, `dataset.toml` or a default, in this order.

Every option is described in one place, `data-lists/README.md`; a test holds the two together.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from shared.data_loader.errors import DataListError
from shared.data_loader.redaction import redacted
from shared.data_loader.settings import dataset_settings
from shared.paths import root

PREFIX = "LOST_AND_FOUND_"
# Those of a data set may be given for one of them, as <option>_<DATASET>, or for all.
DATASET_OPTIONS = (
    "SOURCE",
    "SOURCE_RECORDS",
    "SOURCE_OPTIONS",
    "FOLDER",
    "FOLDER_RECORDS",
    "STORE",
)
OPTIONS = {
    "STORE": "auto",
    "CONCURRENCY": "32",
    "TIMEOUT": "30",
    "RETRIES": "5",
    "MAX_FILE_MB": "64",
    "LISTING_CACHE": "auto",
}


@dataclass(frozen=True)
class Transfer:
    """How files are fetched; times in seconds."""

    concurrency: int = 32
    timeout_s: float = 30.0
    retries: int = 5
    max_file_mb: float = 64.0


def option(name: str, dataset: str | None = None, argument: str | None = None) -> str | None:
    """An option's value, or nothing where it is set nowhere and has no default.

    Args:
        name: without the prefix, as in `OPTIONS` and `DATASET_OPTIONS`.
        dataset: looks for `<name>_<DATASET>` (upper case, `-` and `.` as `_`) before `<name>`.
        argument: comes before everything else.
    """
    found = argument or _own(name, dataset) or _common(name)
    return found or OPTIONS.get(name)


def source_of(dataset: str, argument: str | None = None, option_name: str = "SOURCE") -> str | None:
    """Where a data set's missing files come from: a URL or a local path, or nothing.

    The common variable is a base, below which each data set has a folder of its name; but for
    synthetic ones, which are made and not fetched.
    """
    found = argument or _own(option_name, dataset)
    base = None if found or _is_made(dataset) else _common(option_name)
    if base:
        head, mark, query = base.partition("?")
        found = f"{head.rstrip('/')}/{dataset}{mark}{query}"
    key = "url" if option_name == "SOURCE" else "records_url"
    return found or _from_settings(dataset).get(key) or None


def source_options(dataset: str) -> dict[str, Any]:
    """The options of fsspec for a data set's source (`anon`, `endpoint_url`, `key`, ...)."""
    text = option("SOURCE_OPTIONS", dataset)
    if not text:
        return dict(_from_settings(dataset).get("options", {}))
    try:
        options = json.loads(text)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        msg = (
            f'{PREFIX}SOURCE_OPTIONS: expected a JSON object such as {{"anon": true}} '
            "(what it holds is not shown here: there may be keys in it)"
        )
        raise DataListError(msg)
    return {**_from_settings(dataset).get("options", {}), **options}


def transfer() -> Transfer:
    """The options of fetching, checked."""
    return Transfer(
        concurrency=int(_number("CONCURRENCY", 1, 512)),
        timeout_s=_number("TIMEOUT", 0.01, 86400),
        retries=int(_number("RETRIES", 0, 100)),
        max_file_mb=_number("MAX_FILE_MB", 0.001, 1e6),
    )


def choice(name: str, allowed: tuple[str, ...], dataset: str | None = None) -> str:
    """An option that is one of a few words; the first is the default."""
    value = option(name, dataset) or allowed[0]
    if value not in allowed:
        msg = f"{PREFIX}{name}: expected one of {', '.join(allowed)}, got {redacted(value)!r}"
        raise DataListError(msg)
    return value


def _number(name: str, least: float, most: float) -> float:
    text = option(name) or ""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        msg = f"{PREFIX}{name}: expected a number from {least:g} to {most:g}, got {text!r}"
        raise DataListError(msg)
    return value


def _own(name: str, dataset: str | None) -> str | None:
    if dataset is None:
        return None
    return _common(f"{name}_{dataset.upper().replace('-', '_').replace('.', '_')}")


def _common(name: str) -> str | None:
    return os.environ.get(PREFIX + name) or _dotenv().get(PREFIX + name) or None


def _dotenv() -> Mapping[str, str | None]:
    path = root() / ".env"
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        return {}
    return _read_dotenv(path, changed)


@lru_cache(maxsize=8)
def _read_dotenv(path: Path, _changed: int) -> Mapping[str, str | None]:
    return dotenv_values(path)


def _is_made(dataset: str) -> bool:
    try:
        return dataset_settings(dataset).synthetic
    except FileNotFoundError:
        return False


def _from_settings(dataset: str) -> Mapping[str, Any]:
    try:
        return dataset_settings(dataset).source
    except FileNotFoundError:
        return {}
