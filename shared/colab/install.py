"""Installs the libraries of `poetry.lock` beside those of the machine, which stay as they are.

They go to a folder of their own (`.cache/colab-packages/<digest>`), which is put before the
machine's packages on the path. The machine's torch, torchvision and CUDA libraries are kept: they
belong to its driver, and the lock's would be gigabytes more. So no virtual environment is needed,
which Colab's Python cannot make.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared.colab.errors import ColabError

_TORCH_FAMILY = ("torch", "torchvision", "torchaudio", "triton")
_TORCH_PREFIXES = ("nvidia-", "cuda-")


def packages_folder(root: Path) -> Path | None:
    """Where the libraries belong, or nothing where this Python has them (the project's `.venv`)."""
    if Path(sys.prefix).resolve() == (root / ".venv").resolve():
        return None
    digest = hashlib.sha256(requirements(root).encode()).hexdigest()[:16]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return root / ".cache" / "colab-packages" / f"{version}-{digest}"


def requirements(root: Path) -> str:
    """The lock's libraries in pip's format, with hashes, less those that the machine's torch is.

    Raises:
        ColabError: this Python has torch without torchvision.
    """
    lock = tomllib.loads((root / "poetry.lock").read_text(encoding="utf-8"))
    keeps_torch = has_torch()
    wanted = (package for package in lock["package"] if "main" in package["groups"])
    lines = [
        _line(package)
        for package in wanted
        if not (keeps_torch and is_of_torch(str(package["name"])))
    ]
    return "\n".join(lines) + "\n"


def has_torch() -> bool:
    """Whether the machine has its own torch and torchvision."""
    found = {name: importlib.util.find_spec(name) is not None for name in _TORCH_FAMILY[:2]}
    if found["torch"] and not found["torchvision"]:
        msg = (
            "This machine has torch but no torchvision. Install the torchvision that belongs to "
            "its torch (https://pytorch.org/get-started/previous-versions/)."
        )
        raise ColabError(msg)
    return found["torch"]


def is_of_torch(name: str) -> bool:
    """Whether a library is torch or is there for torch's sake."""
    return name in _TORCH_FAMILY or name.startswith(_TORCH_PREFIXES)


def install(root: Path, folder: Path) -> None:
    """Install the libraries into a folder; an unfinished one is never taken for done.

    Raises:
        ColabError: the installer failed.
    """
    if folder.exists():
        return
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    listed = unfinished.with_suffix(".txt")
    listed.write_text(requirements(root), encoding="utf-8")
    command = [*_installer(), "--target", str(unfinished), "-r", str(listed)]
    code = subprocess.run(command, check=False).returncode
    listed.unlink()
    if code:
        shutil.rmtree(unfinished, ignore_errors=True)
        msg = f"Installing the libraries of poetry.lock failed (exit code {code}), as shown above."
        raise ColabError(msg)
    unfinished.rename(folder)


def describe(root: Path, folder: Path) -> str:
    """What `install` does, in a line."""
    count = len(requirements(root).splitlines())
    torch = "the machine's torch is kept" if has_torch() else "torch too: the machine has none"
    return f"install {count} libraries of poetry.lock into {folder} ({torch})"


def _installer() -> list[str]:
    """The start of an install command: without dependencies, for the lock names them all."""
    options = ["install", "--no-deps", "--require-hashes"]
    if importlib.util.find_spec("pip"):
        own = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        return [*own, *options, "--no-warn-script-location", "--progress-bar", "off", "--quiet"]
    if uv := shutil.which("uv"):
        return [uv, "pip", *options, "--python", sys.executable]
    msg = f"{sys.executable} has no pip, and there is no uv. Install one of them."
    raise ColabError(msg)


def _line(package: Mapping[str, Any]) -> str:
    """A library in pip's format: `name==version ; markers --hash=... --hash=...`."""
    markers = package.get("markers")
    if isinstance(markers, dict):
        markers = markers.get("main")
    condition = f" ; {markers}" if markers else ""
    hashes = "".join(f" --hash={digest}" for digest in _hashes(package))
    return f"{package['name']}=={package['version']}{condition}{hashes}"


def _hashes(package: Mapping[str, Any]) -> Iterator[str]:
    for file in package["files"]:
        yield str(file["hash"])
