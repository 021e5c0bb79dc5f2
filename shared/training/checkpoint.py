"""A checkpoint: a folder that can predict by itself, without its training data, without pickles.

model.safetensors   the weights
config.json         backbone, classes, preprocessing, lists, parameters, versions, commit
partition.parquet   the classes: codes, names, centres, polygons
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from shared.partitions import Partition
from shared.training.backbones import Normalisation, build_backbone
from shared.training.batches import let_go
from shared.training.images import Bytes, Preprocessing

MODEL, CONFIG, PARTITION = "model.safetensors", "config.json", "partition.parquet"
FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that it needs to predict.

    Attributes:
        model: the network; its outputs are the logits of the classes, in their order.
        config: what `config.json` holds: `task`, `backbone`, `classes`, `preprocessing`,
            `normalisation`, `lists`, `parameters`, `seed`, `versions`, `commit` and more.
        partition: the classes, in their order.
    """

    model: nn.Module
    config: Mapping[str, Any]
    partition: Partition

    @property
    def classes(self) -> list[str]:
        """The codes of the classes, in the order of the outputs."""
        return list(self.config["classes"])

    @property
    def preprocessing(self) -> Preprocessing:
        """How a photo becomes the model's input."""
        return Preprocessing(**self.config["preprocessing"])

    def predict(self, images: Bytes, batch_size: int = 256) -> NDArray[np.float32]:
        """The probabilities of the classes.

        Args:
            images: (N, H, W, 3) bytes, of the size that `preprocessing` says; may be a memory map.
            batch_size: images at a time.

        Returns:
            (N, n_classes) probabilities.
        """
        wanted = (self.preprocessing.height, self.preprocessing.width, 3)
        if images.ndim != 4 or images.shape[1:] != wanted or images.dtype != np.uint8:
            shape = f"(N, {wanted[0]}, {wanted[1]}, 3)"
            msg = f"Expected uint8 {shape} images, but got {images.dtype} {images.shape}"
            raise ValueError(msg)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = self.model.to(device).eval()
        normalisation = Normalisation(**self.config["normalisation"])
        found = np.empty((len(images), len(self.classes)), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                chosen = np.array(images[start : start + batch_size])
                pixels = torch.from_numpy(chosen).to(device).permute(0, 3, 1, 2).float() / 255
                logits = model(normalisation.apply(pixels)).float()
                found[start : start + batch_size] = logits.softmax(dim=1).cpu().numpy()
                let_go(images)
        return found

    def save(self, folder: Path) -> None:
        """Write the folder whole: the old one, if any, is replaced in one step."""
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        state = {k: v.detach().cpu().contiguous() for k, v in self.model.state_dict().items()}
        save_file(state, temporary / MODEL)
        text = json.dumps({"format": FORMAT, **self.config}, indent=2, ensure_ascii=False)
        (temporary / CONFIG).write_text(text + "\n", encoding="utf-8")
        self.partition.save(temporary / PARTITION)
        replace_folder(temporary, folder)

    @classmethod
    def load(cls, folder: Path) -> "Checkpoint":
        """Read a checkpoint.

        Raises:
            FileNotFoundError: when the folder holds none.
            ValueError: when its parts do not fit each other.
        """
        config = read_config(folder)
        partition = Partition.load(folder / PARTITION)
        if partition.codes != config["classes"]:
            msg = f"Expected the classes of {folder / CONFIG} in {PARTITION}: they differ"
            raise ValueError(msg)
        model = build_backbone(config["backbone"], len(config["classes"]))
        try:
            model.load_state_dict(load_file(folder / MODEL), strict=True)
        except RuntimeError as error:
            msg = f"Expected the weights of {config['backbone']} in {folder / MODEL}: {error}"
            raise ValueError(msg) from error
        model.to(memory_format=torch.channels_last)
        return cls(model.eval(), config, partition)


def read_config(folder: Path) -> dict[str, Any]:
    """The `config.json` of a checkpoint.

    Raises:
        FileNotFoundError: when the folder holds none.
        ValueError: for a format that this code does not know.
    """
    path = folder / CONFIG
    if not path.is_file():
        msg = f"Expected a checkpoint in {folder}, but there is no {CONFIG}: run 3-training first"
        raise FileNotFoundError(msg)
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if config.get("format") != FORMAT:
        msg = f"Expected a checkpoint of format {FORMAT} in {path}, got {config.get('format')!r}"
        raise ValueError(msg)
    return config


def replace_folder(new: Path, folder: Path) -> None:
    """Put a folder in the place of another; between two renames, the old one lies beside it."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
