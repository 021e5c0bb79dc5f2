"""Features of a frozen backbone: computed once for a list of photos, and kept on disk.

Images are `(height, width, 3)` RGB bytes. A cache is a `.npy` file whose name holds the digest of
the list, the preprocessing, the backbone and the digest of its weights: when one of them changes
another file is made, and the old one stays. A run that is killed goes on with the next shard.
"""

import hashlib
import logging
import os
import shutil
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from shared.training.backbones import Normalisation, build_backbone, head_of
from shared.training.batches import let_go
from shared.training.images import Bytes, Preprocessing

if TYPE_CHECKING:  # checkpoints hold such backbones too
    from shared.training.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

Features = NDArray[np.float32]
KINDS = ("vector", "map")
SHARD_IMAGES = 2048  # what a kill can cost
DIGEST_HEX_DIGITS = 16  # of the weights, in a file's name


class FrozenBackbone(nn.Module):
    """A backbone without its head, whose weights never change.

    It takes pixels in 0..1 and normalises them itself.

    Args:
        name: what it is called in the names of caches, such as `"resnet50"`.
        model: a network of `build_backbone`, with its head.
        normalisation: of the pixels.
        kind: `"vector"`: what the head would get, `(N, D)`; `"map"`: what comes before the
            pooling, `(N, C, h, w)`.

    Raises:
        ValueError: for another kind.
    """

    def __init__(
        self, name: str, model: nn.Module, normalisation: Normalisation, kind: str = "vector"
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            msg = f"Expected the kind of features to be one of {KINDS}, but got {kind!r}"
            raise ValueError(msg)
        self.name, self.kind = name, kind
        self.body = _without_head(model) if kind == "vector" else _before_pooling(model)
        self.mean: Tensor
        self.std: Tensor
        # Buffers, so that the digest of the weights tells the normalisation too.
        self.register_buffer("mean", torch.tensor(normalisation.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(normalisation.std).view(3, 1, 1))
        self.requires_grad_(requires_grad=False)
        self.eval()

    @classmethod
    def named(cls, backbone: str, weights: str, kind: str = "vector") -> "FrozenBackbone":
        """A backbone by its name, with weights as `build_backbone` takes them."""
        normalisation = Normalisation.of("auto", weights)
        return cls(backbone, build_backbone(backbone, 1, weights), normalisation, kind)

    @classmethod
    def of_checkpoint(cls, checkpoint: "Checkpoint", kind: str = "vector") -> "FrozenBackbone":
        """The backbone of a model of this project; the checkpoint's own network is used."""
        normalisation = Normalisation(**checkpoint.config["normalisation"])
        return cls(checkpoint.config["backbone"], checkpoint.model, normalisation, kind)

    def train(self, mode: bool = True) -> "FrozenBackbone":
        """Frozen layers keep the statistics of their batch norms, whatever is asked."""
        return super().train(mode=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """The features of (N, 3, H, W) pixels in 0..1: (N, D) or (N, C, h, w)."""
        features: Tensor = self.body((pixels - self.mean) / self.std)
        return features

    @torch.inference_mode()
    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """The shape of one image's features: (D,) or (C, h, w)."""
        pixels = torch.zeros(1, 3, height, width, device=self.mean.device)
        return tuple(self(pixels).shape[1:])


def embed(model: nn.Module, images: Bytes, batch_size: int = 64) -> Features:
    """The features of images, on the GPU where there is one.

    Args:
        model: takes (n, 3, H, W) pixels in 0..1, and gives a row of numbers for each image, or an
            array: a `FrozenBackbone`, or any other such network.
        images: (N, H, W, 3) bytes; may be a memory map.
        batch_size: images at a time.

    Returns:
        (N, D) features, or (N, C, h, w).

    Raises:
        ValueError: when these are no images.
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or len(images) == 0:
        msg = f"Expected uint8 images of shape (N, H, W, 3), but got {images.dtype} {images.shape}"
        raise ValueError(msg)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device).eval()
    found: Features | None = None
    for start in range(0, len(images), batch_size):
        chosen = torch.from_numpy(np.array(images[start : start + batch_size])).to(device)
        with torch.inference_mode():
            part = model(chosen.permute(0, 3, 1, 2).float() / 255).float().cpu().numpy()
        if found is None:
            found = np.empty((len(images), *part.shape[1:]), dtype=np.float32)
        found[start : start + len(part)] = part
    let_go(images)
    return found if found is not None else np.empty((0, 0), dtype=np.float32)


def cached_features(
    model: nn.Module,
    images: Bytes,
    list_digest: str,
    preprocessing: Preprocessing,
    folder: Path,
    batch_size: int = 64,
    name: str = "",
) -> Features:
    """The features of a list's images: computed now, or opened when that was done before.

    Args:
        model: as in `embed`.
        images: (N, H, W, 3) bytes, the whole list in its order.
        list_digest: the digest of the list.
        preprocessing: how its photos became these images.
        folder: where the file lies.
        batch_size: images at a time.
        name: what the model is called; a `FrozenBackbone` has a name of its own.

    Returns:
        (N, D) or (N, C, h, w) features, read-only, mapped into memory.

    Raises:
        ValueError: when the model has no name, or a file of that name has other rows.
    """
    path = features_path(model, list_digest, preprocessing, folder, name)
    if not path.exists():
        _write(model, images, path, batch_size)
    found: Features = np.load(path, mmap_mode="r", allow_pickle=False)
    if len(found) != len(images) or found.dtype != np.float32:
        msg = (
            f"Expected float32 features of {len(images)} images in {path}, but found "
            f"{found.dtype} {found.shape}. Remove the file: it is made again."
        )
        raise ValueError(msg)
    return found


def features_path(
    model: nn.Module, list_digest: str, preprocessing: Preprocessing, folder: Path, name: str = ""
) -> Path:
    """Where the features of a list lie.

    Raises:
        ValueError: when the model has no name.
    """
    called = name or (f"{model.name}-{model.kind}" if isinstance(model, FrozenBackbone) else "")
    if not called or "/" in called:
        msg = f"Expected a name for the features of {type(model).__name__}, but got {name!r}"
        raise ValueError(msg)
    mark = weights_digest(model)[:DIGEST_HEX_DIGITS]
    return folder / f"{list_digest}-{preprocessing.name}-{called}-{mark}.npy"


def weights_digest(model: nn.Module) -> str:
    """The sha256 of a network's tensors: their names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _write(model: nn.Module, images: Bytes, path: Path, batch_size: int) -> None:
    """Compute shards that are not there yet, then join them under the file's name."""
    shards = path.with_name(f"{path.name}.shards")
    shards.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(images), SHARD_IMAGES)
    for start in tqdm(starts, desc="features", unit="shard", disable=len(starts) < 2):
        shard = shards / f"{start:09d}.npy"
        if not shard.exists():
            part = embed(model, images[start : start + SHARD_IMAGES], batch_size)
            temporary = shard.with_name(f"{shard.name}.{os.getpid()}.part")
            with temporary.open("wb") as file:
                np.save(file, part, allow_pickle=False)
            temporary.replace(shard)
    _join(shards, len(images), path)
    shutil.rmtree(shards, ignore_errors=True)
    logger.info("Kept the features of %d images in %s", len(images), path)


def _join(shards: Path, n_images: int, path: Path) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    whole = None
    for start in range(0, n_images, SHARD_IMAGES):
        part = np.load(shards / f"{start:09d}.npy", mmap_mode="r", allow_pickle=False)
        if whole is None:
            shape = (n_images, *part.shape[1:])
            whole = np.lib.format.open_memmap(temporary, "w+", dtype=np.float32, shape=shape)
        whole[start : start + len(part)] = part
    if whole is not None:
        whole.flush()
    temporary.replace(path)


def _without_head(model: nn.Module) -> nn.Module:
    """The same network, which returns what its head would get."""
    head = head_of(model)
    (name,) = [name for name, layer in model.named_modules() if layer is head]
    model.set_submodule(name, nn.Identity())
    return model


def _before_pooling(model: nn.Module) -> nn.Module:
    """The convolutions of a backbone alone."""
    features = getattr(model, "features", None)
    if isinstance(features, nn.Sequential):
        return features
    named = [(name, layer) for name, layer in model.named_children()]
    return nn.Sequential(OrderedDict(named[: [name for name, _ in named].index("avgpool")]))
