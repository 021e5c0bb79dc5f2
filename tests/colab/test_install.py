"""The list of libraries for a machine that has its own torch, or none."""

import importlib.util
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from shared.colab import install
from shared.colab.errors import ColabError

ROOT = Path(__file__).parents[2]


def listed(monkeypatch: pytest.MonkeyPatch, has: set[str]) -> dict[str, str]:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in has else None)
    lines = install.requirements(ROOT).splitlines()
    for line in lines:
        Requirement(line.split(" --hash=")[0])  # pip's own reading of name, version and markers
        assert line.count("--hash=sha256:") >= 1
    return {line.split("==")[0]: line for line in lines}


def test_the_machines_torch_and_cuda_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set(listed(monkeypatch, {"torch", "torchvision"}))
    assert {"numpy", "pandas", "lightning", "torchmetrics", "reverse-geocoder"} <= names
    assert {"torch", "torchvision", "triton"}.isdisjoint(names)
    assert not [name for name in names if name.startswith(("nvidia-", "cuda-"))]
    assert "pytest" not in names  # of the development group alone


def test_a_machine_without_torch_gets_the_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = listed(monkeypatch, set())
    assert found["torch"].startswith("torch==2.14.1")
    assert "nvidia-cublas" in found


def test_torch_without_torchvision_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ColabError, match="torch but no torchvision"):
        listed(monkeypatch, {"torch"})


def test_an_install_that_failed_leaves_nothing_that_looks_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "poetry.lock").write_text("package = []\n", encoding="utf-8")
    monkeypatch.setattr(install, "_installer", lambda: ["false"])
    with pytest.raises(ColabError, match=r"failed \(exit code 1\)"):
        install.install(tmp_path, tmp_path / "packages")
    assert [path.name for path in tmp_path.iterdir()] == ["poetry.lock"]
    monkeypatch.setattr(install, "_installer", lambda: ["true"])
    install.install(tmp_path, tmp_path / "packages")
    assert (tmp_path / "packages").is_dir()
