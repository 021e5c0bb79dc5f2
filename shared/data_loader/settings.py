"""`data-lists/<dataset>/dataset.toml`: where a data set comes from, and what is run on it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.data_loader.errors import DataListError
from shared.data_loader.names import check_name
from shared.paths import lists_folder, shown

_TOP = {"title", "description", "licence", "synthetic", "source", "notebooks", "parameters"}
_SOURCE = {"origin", "url", "records_url", "layout", "options"}


@dataclass(frozen=True)
class DatasetSettings:
    """What `dataset.toml` says; `parameters` are common, `notebook_parameters` of one notebook.

    `run` are patterns of the notebooks that run by default, `also` of those that make sense too.
    """

    name: str
    title: str
    description: str = ""
    licence: str = ""
    synthetic: bool = False
    show_photos: bool = False  # whether figures may show its photos (ours, or of a free licence)
    source: Mapping[str, Any] = field(default_factory=dict)
    run: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notebook_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def parameters_for(self, notebook: str) -> dict[str, Any]:
        """The parameters of a notebook (its path without `.ipynb`): the common, then its own."""
        return {**self.parameters, **self.notebook_parameters.get(notebook, {})}


def dataset_settings(dataset: str) -> DatasetSettings:
    """Read a data set's `dataset.toml`.

    Raises:
        FileNotFoundError: there is none; the error names the data sets that there are.
        DataListError: it is no TOML, or holds a key or a type that means nothing here.
    """
    path = lists_folder(check_name(dataset, "of a data set")) / "dataset.toml"
    if not path.is_file():
        known = sorted(p.parent.name for p in path.parent.parent.glob("*/dataset.toml"))
        there = ", ".join(known) or "none"
        msg = f"no data set {dataset!r}: {shown(path)} is absent; there are: {there}"
        raise FileNotFoundError(msg)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{shown(path)}: expected TOML: {error}"
        raise DataListError(msg) from error
    return _settings(dataset, table, path)


def _settings(dataset: str, table: dict[str, Any], path: Path) -> DatasetSettings:
    source = _part(table, "source", path, _SOURCE)
    notebooks = _part(table, "notebooks", path, {"run", "also", "show_photos"})
    unknown = sorted(set(table) - _TOP)
    if unknown:
        msg = f"{shown(path)}: unknown keys {unknown}; expected some of {sorted(_TOP)}"
        raise DataListError(msg)
    parameters = _part(table, "parameters", path, None)
    return DatasetSettings(
        name=dataset,
        title=str(table.get("title", dataset)),
        description=str(table.get("description", "")),
        licence=str(table.get("licence", "")),
        synthetic=bool(table.get("synthetic", False)),
        show_photos=bool(notebooks.get("show_photos", table.get("synthetic", False))),
        source=source,
        run=_patterns(notebooks, "run", path),
        also=_patterns(notebooks, "also", path),
        parameters={k: v for k, v in parameters.items() if not isinstance(v, dict)},
        notebook_parameters={k: v for k, v in parameters.items() if isinstance(v, dict)},
    )


def _patterns(notebooks: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    patterns = notebooks.get(key, [])
    if not isinstance(patterns, list) or not all(isinstance(one, str) for one in patterns):
        msg = f"{shown(path)}: notebooks.{key}: expected a list of strings, got {patterns!r}"
        raise DataListError(msg)
    return tuple(patterns)


def _part(table: dict[str, Any], key: str, path: Path, known: set[str] | None) -> dict[str, Any]:
    part = table.get(key, {})
    if not isinstance(part, dict):
        msg = f"{shown(path)}: expected a table [{key}], got {part!r}"
        raise DataListError(msg)
    unknown = sorted(set(part) - known) if known is not None else []
    if unknown:
        some = sorted(known or [])
        msg = f"{shown(path)}: unknown keys {unknown} in [{key}]; expected some of {some}"
        raise DataListError(msg)
    return part
