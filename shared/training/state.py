"""The state of a training in one safetensors file: what Lightning saves, without pickles.

The tensors lie in the file as they are; the tree around them (dicts, lists, numbers) is JSON in
the file's metadata. Written under a temporary name and renamed, so a kill leaves the old state.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.plugins import CheckpointIO
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

TREE = "tree"
PLAIN = (str, int, float, bool, type(None))


def pack(value: object, tensors: dict[str, Tensor], where: str = "") -> object:
    """A tree as JSON values; its tensors are moved into `tensors`.

    Raises:
        TypeError: for a value that is no dict, list, tuple, number, text, None or tensor.
    """
    if isinstance(value, Tensor):
        name = str(len(tensors))
        is_last = value.ndim == 4 and not value.is_contiguous()
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name, "channels_last": is_last}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        # Pairs, since keys may be numbers, which JSON would turn into text.
        return {"dict": [[k, pack(v, tensors, f"{where}/{k}")] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [pack(v, tensors, f"{where}/{i}") for i, v in enumerate(value)]}
    msg = f"Expected plain values and tensors, but {where} is a {type(value).__name__}"
    raise TypeError(msg)


def unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:  # noqa: ANN401
    """The tree that `pack` took apart."""
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        tensor = tensors[value["tensor"]]
        is_last = value["channels_last"]
        return tensor.contiguous(memory_format=torch.channels_last) if is_last else tensor
    if "dict" in value:
        return {key: unpack(item, tensors) for key, item in value["dict"]}
    if "list" in value:
        return [unpack(item, tensors) for item in value["list"]]
    return tuple(unpack(item, tensors) for item in value["tuple"])


def save_state(tree: object, path: Path) -> None:
    """Write a tree of values and tensors, under its name only when it is whole."""
    tensors: dict[str, Tensor] = {}
    packed = json.dumps(pack(tree, tensors))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    save_file(tensors, temporary, metadata={TREE: packed})
    temporary.replace(path)


def load_state(path: Path) -> Any:  # noqa: ANN401
    """Read a tree that `save_state` wrote."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        tree = (file.metadata() or {}).get(TREE)
    if tree is None:
        msg = f"Expected the state of a training in {path}, but its metadata holds no tree"
        raise ValueError(msg)
    return unpack(json.loads(tree), tensors)


class SafetensorsIO(CheckpointIO):
    """Lets Lightning save and load its state by `save_state` and `load_state`."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        """Write a checkpoint."""
        save_state(checkpoint, Path(path))

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: object = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint; there is no code in it to run."""
        state: dict[str, Any] = load_state(Path(path))
        return state

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)
