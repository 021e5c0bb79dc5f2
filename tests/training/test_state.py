from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shared.training.state import load_state, save_state


def test_a_tree_comes_back_as_it_was(tmp_path: Path) -> None:
    tree: dict[str, Any] = {
        "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.randn(4, 3)}, 1: {}},
        "betas": (0.9, 0.999),
        "names": ["a", None, True, 2, 0.1],
        "inf": float("inf"),
        "numpy": np.float64(0.25),
        "ordered": OrderedDict(b=1, a=torch.arange(3)),
        "bf16": torch.randn(3).bfloat16(),
    }
    save_state(tree, tmp_path / "s.safetensors")
    found = load_state(tmp_path / "s.safetensors")
    assert list(found["state"]) == [0, 1]
    assert torch.equal(found["state"][0]["exp_avg"], tree["state"][0]["exp_avg"])
    assert torch.equal(found["bf16"], tree["bf16"])
    assert found["bf16"].dtype == torch.bfloat16
    assert found["betas"] == (0.9, 0.999)
    assert found["names"] == ["a", None, True, 2, 0.1]
    assert (found["inf"], found["numpy"]) == (float("inf"), 0.25)
    assert list(found["ordered"]) == ["b", "a"]


def test_layout_in_memory_is_kept(tmp_path: Path) -> None:
    tensor = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    save_state([tensor], tmp_path / "s.safetensors")
    (found,) = load_state(tmp_path / "s.safetensors")
    assert torch.equal(found, tensor)
    assert found.stride() == tensor.stride()


def test_tensors_that_share_memory_are_kept_apart(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    save_state({"a": base, "b": base[:3], "c": base}, tmp_path / "s.safetensors")
    found = load_state(tmp_path / "s.safetensors")
    assert found["b"].tolist() == [0, 1, 2]
    assert torch.equal(found["c"], base)


def test_an_object_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="/loops/0 is a PosixPath"):
        save_state({"loops": [Path("x")]}, tmp_path / "s.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_file_holds_no_pickle(tmp_path: Path) -> None:
    save_state({"a": torch.arange(3)}, tmp_path / "s.safetensors")
    data = (tmp_path / "s.safetensors").read_bytes()
    header = int.from_bytes(data[:8], "little")  # safetensors: length of a JSON header, header
    assert data[8:9] == b"{"
    assert len(data) == 8 + header + 3 * 8  # and the bytes of the tensors, nothing else


def test_a_file_of_weights_is_no_state(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="state of a training in"):
        load_state(tmp_path / "w.safetensors")
