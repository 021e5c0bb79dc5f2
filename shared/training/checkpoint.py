"""A checkpoint: a folder that can predict by itself, without its training data, without pickles.

model.safetensors   the weights
config.json         task, head, backbone, classes, preprocessing, lists, parameters, versions
partition.parquet   the classes: codes, names, centres, polygons; absent for heads without classes
and more files that `config.json` lists, such as the tokenizer of a model that reads texts
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from shared.geo import Floats
from shared.partitions import Partition
from shared.training.backbones import Normalisation, build_backbone
from shared.training.batches import let_go
from shared.training.heads import PointHead, point_head
from shared.training.images import Bytes, Preprocessing
from shared.vmf import VmfMixture

MODEL, CONFIG, PARTITION = "model.safetensors", "config.json", "partition.parquet"
FORMAT = 1
CLASSES = "classes"  # the kind of head that has some
CITY_CLIP = "city-clip"  # the kind of network that tells cities by their captions
GEOCELL = "geocell"  # and of one that tells cells and facts of their surroundings from views
FROZEN = "shared.training.grid_net"  # a head on a frozen backbone, of either kind of features
NETWORKS = {
    CITY_CLIP: "shared.training.city_clip_net",
    GEOCELL: "shared.training.geocell_net",
}


@dataclass(frozen=True)
class PointOutput:
    """What a model without classes says of N photos.

    Attributes:
        points: (N, 2) latitudes and longitudes, degrees: of least expected distance where there
            is a mixture.
        mixture: where the place may be, with a spread; None for heads without one.
    """

    points: Floats
    mixture: VmfMixture | None


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that it needs to predict.

    Attributes:
        model: the network; its outputs are the logits of the classes, in their order, or what the
            head of `config["head"]` reads.
        config: what `config.json` holds: `task`, `head`, `backbone`, `classes`, `preprocessing`,
            `normalisation`, `lists`, `parameters`, `seed`, `versions`, `commit` and more;
            `temperature` for models of classes.
        partition: the classes, in their order; None for heads without classes.
        files: the text of more files, by name, in the order of `config["files"]`.
    """

    model: nn.Module
    config: Mapping[str, Any]
    partition: Partition | None
    files: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def classes(self) -> list[str]:
        """The codes of the classes, in the order of the outputs."""
        return list(self.config["classes"])

    @property
    def head(self) -> PointHead | None:
        """The head of a model without classes; None for one of classes."""
        return head_of_config(self.config)

    @property
    def temperature(self) -> float:
        """What the logits are divided by to be calibrated; 1 where none was fitted."""
        return float(self.config.get("temperature", 1.0))

    @property
    def preprocessing(self) -> Preprocessing:
        """How a photo becomes the model's input."""
        return Preprocessing(**self.config["preprocessing"])

    def predict(
        self, images: Bytes, batch_size: int = 256, *, calibrated: bool = False
    ) -> NDArray[np.float32]:
        """The probabilities of the classes.

        Args:
            images: (N, H, W, 3) bytes, of the size that `preprocessing` says; may be a memory map.
            batch_size: images at a time.
            calibrated: divide the logits by the temperature of the validation photos. The order of
                the classes stays the same.

        Returns:
            (N, n_classes) probabilities.

        Raises:
            ValueError: for images of another size, or a model without classes.
        """
        if self.head is not None:
            msg = (
                f"Expected a model of classes, but this one's head is {self.head.kind!r}: it gives "
                "points, by predict_points"
            )
            raise ValueError(msg)
        by = self.temperature if calibrated else 1.0
        found = np.empty((len(images), len(self.classes)), dtype=np.float32)
        for rows, logits in self._outputs(images, batch_size):
            found[rows] = (logits if by == 1.0 else logits / by).softmax(dim=1).cpu().numpy()
        return found

    def predict_points(self, images: Bytes, batch_size: int = 256) -> PointOutput:
        """The points of a model without classes.

        Args:
            images: (N, H, W, 3) bytes, as in `predict`.
            batch_size: images at a time.

        Raises:
            ValueError: for images of another size, or a model of classes.
        """
        if self.head is None:
            msg = (
                f"Expected a model that gives points, but this one has {len(self.classes)} "
                "classes: use predict, and read points from its probabilities"
            )
            raise ValueError(msg)
        outputs = [part.cpu() for _, part in self._outputs(images, batch_size)]
        whole = torch.cat(outputs) if outputs else torch.empty(0, self.head.n_outputs)
        mixture = self.head.mixture(whole)
        if mixture is not None:
            return PointOutput(mixture.points(), mixture)
        return PointOutput(self.head.points(whole).numpy(), None)

    def logits(
        self, images: Bytes, rows: NDArray[np.int64] | None = None, batch_size: int = 256
    ) -> NDArray[np.float32]:
        """The outputs of the network, as they are: (N, n_outputs).

        Args:
            images: (N, H, W, 3) bytes, as in `predict`.
            rows: the images to look at, in this order; all when None.
            batch_size: images at a time.
        """
        found = [part.cpu().numpy() for _, part in self._outputs(images, batch_size, rows)]
        return np.concatenate(found) if found else np.empty((0, 0), np.float32)

    def check_images(self, images: Bytes) -> None:
        """Hold images to the size that the model reads.

        Raises:
            ValueError: for images of another size, or no bytes.
        """
        wanted = (self.preprocessing.height, self.preprocessing.width, 3)
        if images.ndim != 4 or images.shape[1:] != wanted or images.dtype != np.uint8:
            shape = f"(N, {wanted[0]}, {wanted[1]}, 3)"
            msg = f"Expected uint8 {shape} images, but got {images.dtype} {images.shape}"
            raise ValueError(msg)

    def with_temperature(self, temperature: float) -> "Checkpoint":
        """The same model with a temperature in its config."""
        return replace(self, config={**self.config, "temperature": temperature})

    def _outputs(
        self, images: Bytes, batch_size: int, rows: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[slice, Tensor]]:
        """The outputs of images in batches, each with where it lies among them."""
        self.check_images(images)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = self.model.to(device).eval()
        normalisation = Normalisation(**self.config["normalisation"])
        n = len(images) if rows is None else len(rows)
        for start in range(0, n, batch_size):
            where = slice(start, min(start + batch_size, n))
            chosen = np.array(images[where if rows is None else rows[where]])
            with torch.inference_mode():
                pixels = torch.from_numpy(chosen).to(device).permute(0, 3, 1, 2).float() / 255
                outputs = model(normalisation.apply(pixels)).float()
            yield where, outputs
            let_go(images)

    def save(self, folder: Path) -> None:
        """Write the folder whole: the old one, if any, is replaced in one step."""
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        state = {k: v.detach().cpu().contiguous() for k, v in self.model.state_dict().items()}
        save_file(state, temporary / MODEL)
        text = json.dumps({"format": FORMAT, **self.config}, indent=2, ensure_ascii=False)
        (temporary / CONFIG).write_text(text + "\n", encoding="utf-8")
        if self.partition is not None:
            self.partition.save(temporary / PARTITION)
        for name, content in self.files.items():
            (temporary / name).write_text(content, encoding="utf-8")
        replace_folder(temporary, folder)

    @classmethod
    def load(cls, folder: Path) -> "Checkpoint":
        """Read a checkpoint.

        Raises:
            FileNotFoundError: when the folder holds none.
            ValueError: when its parts do not fit each other.
        """
        config = read_config(folder)
        head = head_of_config(config)
        partition = Partition.load(folder / PARTITION) if head is None else None
        if partition is not None and partition.codes != config["classes"]:
            msg = f"Expected the classes of {folder / CONFIG} in {PARTITION}: they differ"
            raise ValueError(msg)
        n_outputs = len(config["classes"]) if head is None else head.n_outputs
        model = _network(config, n_outputs)
        try:
            model.load_state_dict(load_file(folder / MODEL), strict=True)
        except RuntimeError as error:
            msg = f"Expected the weights of {config['backbone']} in {folder / MODEL}: {error}"
            raise ValueError(msg) from error
        model.to(memory_format=torch.channels_last)
        names = config.get("files", [])
        files = {name: (folder / name).read_text(encoding="utf-8") for name in names}
        return cls(model.eval(), config, partition, files)


def _network(config: Mapping[str, Any], n_outputs: int) -> nn.Module:
    """The network that a config names, with random weights."""
    if "network" not in config:
        return build_backbone(config["backbone"], n_outputs)
    # Imported where it is needed: transformers takes seconds, and a training is known by the code
    # that it imports.
    kind = config["network"]["kind"]
    module = import_module(NETWORKS.get(kind, FROZEN))
    network: nn.Module = module.network_of(config, n_outputs)
    return network


def head_of_config(config: Mapping[str, Any]) -> PointHead | None:
    """The head that a config names; None for classes, which older configs do not name."""
    head = config.get("head", {"kind": CLASSES})
    return None if head["kind"] == CLASSES else point_head(head)


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


def copy_checkpoint(source: Path, folder: Path) -> None:
    """Write a copy of a checkpoint's folder, under its name only when it is whole."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    replace_folder(temporary, folder)


def replace_folder(new: Path, folder: Path) -> None:
    """Put a folder in the place of another; between two renames, the old one lies beside it."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
