"""Which model searches by text, and among which regions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.partitions import Partition
from shared.paths import data_folder, lists_folder, root, shown
from shared.processing.regions import load_regions
from shared.regions import regions_partition
from shared.training.clip import FACTS_FILE, ClipEncoder, digest_of_clip


@dataclass(frozen=True)
class ClipPlace:
    """Where a contrastive model is.

    Attributes:
        where: a folder, absolute, or a name at huggingface.co.
        revision: of a name: a commit; "" for the newest.
        trained_on: the data set whose checkpoint it is; "" for others.
    """

    where: str
    revision: str
    trained_on: str

    @property
    def files(self) -> list[Path]:
        """The folder, where it is one."""
        return [Path(self.where)] if Path(self.where).is_dir() else []

    @property
    def digest(self) -> str:
        """What tells the weights apart from others."""
        return digest_of_clip(self.where, self.revision)

    @property
    def title(self) -> str:
        """What it is called."""
        return shown(Path(self.where)) if self.files else self.where

    def facts(self, encoder: ClipEncoder) -> dict[str, Any]:
        """What `metrics.json` says of the model."""
        own = encoder.facts
        return {
            "trained_on": self.trained_on or None,
            "source": self.title,
            "origin": own.get("origin"),
            "lists": own.get("lists"),
            "seed": own.get("seed"),
            "style": own.get("style"),
            "preprocessing": encoder.preprocessing.as_dict(),
            "weights_digest": self.digest,
        }


def find_clip(dataset: str, model: str = "", revision: str = "") -> ClipPlace:
    """The model that a parameter means.

    Args:
        dataset: the data set that is evaluated on.
        model: "" for this data set's own best one; the name of another data set for its; the path
            of a folder, absolute or below the project's root; or a name at huggingface.co.
        revision: of a name: a commit.

    Raises:
        FileNotFoundError: when a data set has none, with the notebook that writes it.
    """
    name = model or dataset
    if not model or (lists_folder(name) / "dataset.toml").is_file():
        folder = data_folder("3-training", name) / "contrastive" / "best"
        if not (folder / FACTS_FILE).is_file():
            msg = (
                f"Expected a checkpoint in {shown(folder)}, but there is none. "
                f"3-training/contrastive.ipynb writes it: run it with dataset={name!r}"
            )
            raise FileNotFoundError(msg)
        return ClipPlace(str(folder), "", name)
    folder = root() / model
    return ClipPlace(str(folder) if folder.is_dir() else model, revision, "")


def regions_of(dataset: str, source: str = "") -> Partition:
    """The regions to search among.

    Args:
        dataset: whose regions are taken where `2-enrich/regions` has run.
        source: of `regions_partition`; "" for the data set's own, else the gazetteer's.
    """
    if source:
        return regions_partition(source)
    try:
        return load_regions(dataset)[0]
    except FileNotFoundError:
        return regions_partition()
