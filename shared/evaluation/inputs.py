"""Which model is evaluated: a data set's best checkpoint, or a folder; and its test photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from shared.boundaries import country_polygons
from shared.data_loader import Pair, dataset_settings, read_records
from shared.manifest import fingerprint
from shared.partitions import Partition, countries_partition
from shared.paths import data_folder, lists_folder, root, shown
from shared.processing.places import place_keys

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class CheckpointPlace:
    """Where a checkpoint lies.

    Attributes:
        folder: the folder.
        dataset: the data set it was trained on, or "" where only the folder is known.
    """

    folder: Path
    dataset: str

    @property
    def digest(self) -> str:
        """The digest of the weights: what tells two checkpoints apart, wherever they were made."""
        return fingerprint(self.folder / WEIGHTS).digest


def find_checkpoint(dataset: str, checkpoint: str = "", task: str = "country") -> CheckpointPlace:
    """The checkpoint that a parameter means.

    Args:
        dataset: the data set that is evaluated on.
        checkpoint: "" for this data set's own best one; the name of another data set for its best
            one; or the path of a folder, absolute or below the project's root.
        task: the notebook of 3-training that wrote it.

    Raises:
        FileNotFoundError: when there is none, with the notebook that writes it.
    """
    name = checkpoint or dataset
    if (lists_folder(name) / "dataset.toml").is_file() or not checkpoint:
        folder = data_folder("3-training", name) / task / "best"
        if not (folder / "config.json").is_file():
            msg = (
                f"Expected a checkpoint in {shown(folder)}, but there is none. "
                f"3-training/{task}.ipynb writes it: run it with dataset={name!r}"
            )
            raise FileNotFoundError(msg)
        return CheckpointPlace(folder, name)
    folder = root() / checkpoint
    if not (folder / "config.json").is_file():
        msg = (
            f"Expected checkpoint={checkpoint!r} to be empty, the name of a data set of "
            f"data-lists/, or a folder that 3-training/{task}.ipynb has written; there is no "
            f"config.json in {shown(folder)}"
        )
        raise FileNotFoundError(msg)
    return CheckpointPlace(folder, "")


def model_facts(
    dataset: str, checkpoint: CheckpointPlace, config: Mapping[str, Any]
) -> dict[str, Any]:
    """What `metrics.json` says of the data set and the model: nothing of time or machine.

    Args:
        dataset: the data set that is evaluated on.
        checkpoint: where the model lies.
        config: its `config.json`.
    """
    settings = dataset_settings(dataset)
    return {
        "task": config["task"],
        "dataset": {"name": dataset, "title": settings.title, "is_synthetic": settings.synthetic},
        "model": {
            "trained_on": checkpoint.dataset or None,
            "backbone": config["backbone"],
            "classes": config["classes"],
            "preprocessing": config["preprocessing"],
            "lists": config["lists"],
            "seed": config["seed"],
            "weights_digest": checkpoint.digest,
        },
    }


def truth_of(pairs: Sequence[Pair]) -> pd.DataFrame:
    """What is known of photos: `place`, `code`, `lat`, `lon` (degrees, NaN where unknown), by id.

    Raises:
        ValueError: when a record has no `country_code`.
    """
    records = read_records(pairs)
    codes = records.get("country_code", pd.Series(index=records.index, dtype=object))
    if codes.isna().any():
        without = list(records.index[codes.isna()])
        msg = (
            f"Expected a country_code in each record, but {len(without)} of {len(records)} have "
            f"none, such as {without[0]}: 2-data-processing/2-enrich/countries.ipynb adds it"
        )
        raise ValueError(msg)
    truth = pd.DataFrame({"place": place_keys(records), "code": codes})
    for column in ("lat", "lon"):
        truth[column] = records[column].astype(float) if column in records else float("nan")
    return truth


def named_countries(polygons: str) -> Partition | None:
    """The countries that tell where a guessed point lies.

    Args:
        polygons: as of `2-enrich/countries`: a file, `"natural-earth-50m"`, or "" for None: then
            the gazetteer's nearest place tells it.
    """
    if not polygons:
        return None
    shapes = country_polygons(polygons)
    return countries_partition(list(shapes["code"]), shapes)
