"""Stand-ins: a repository to clone, a machine laid out like Colab, and a server for ssh."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import shared
from shared.data_loader import Store, pin_pairs

REPOSITORY = Path(shared.__file__).parents[1]
GIT = ["git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
NOTEBOOK = """
import json, os
from pathlib import Path
from shared.data_loader import load_pairs, raw_store
from shared.manifest import report_outputs
from shared.paths import data_folder
"""
FAKE_UV = """#!/bin/sh
# Stands for the installer: keeps the list it was given, installs nothing.
while [ $# -gt 0 ]; do
    case "$1" in
    --target) mkdir -p "$2/stand_in" ;;
    -r) cp "$2" "{log}" ;;
    esac
    shift
done
exit ${{FAKE_INSTALL_CODE:-0}}
"""


def notebook(path: Path, *cells: str, parameters: str) -> None:
    """A notebook with a parameters cell, saved as Colab does: without `language_info`."""
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "source": parameters, "metadata": {"tags": ["parameters"]}}
    ]
    made += [{"cell_type": "code", "source": source, "metadata": {}} for source in cells]
    for cell in made:
        cell |= {"outputs": [], "execution_count": None}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    whole = {"nbformat": 4, "nbformat_minor": 4, "metadata": kernel, "cells": made}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole), encoding="utf-8")


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def git(*arguments: str, cwd: Path) -> None:
    subprocess.run([*GIT, *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Three pairs in a flat folder."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name in ("aa1", "aa2", "bb1"):
        (folder / f"{name}.jpg").write_bytes(b"\xff\xd8 not looked into " + name.encode())
        (folder / f"{name}.json").write_text('{"country": "Czechia"}', encoding="utf-8")
    return folder


@pytest.fixture
def repository(tmp_path: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the package, the script, a data list, and two small notebooks."""
    origin = tmp_path / "origin"
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(REPOSITORY / "shared", origin / "shared", ignore=ignored)
    for name in ("run_colab.sh", "poetry.lock", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, origin / name)
    (origin / ".gitignore").write_text(".data/\n.cache/\nruns/\n.env\n__pycache__/\n")
    settings = origin / "data-lists" / "demo" / "dataset.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        'title = "mini"\nsynthetic = true\n[notebooks]\nrun = ["*"]\n', encoding="utf-8"
    )
    with monkeypatch.context() as patch:
        patch.setenv("LOST_AND_FOUND_ROOT", str(origin))
        pin_pairs("demo", "1-collect", Store(pairs, pairs), source="made", may_write=True)
    notebook(
        origin / "1-make" / "seed.ipynb",
        "from pathlib import Path\nfrom shared.manifest import report_outputs\n"
        "Path('.data').mkdir(exist_ok=True)\nPath('.data/seed').write_text('7')\n"
        "report_outputs(['.data/seed'])",
        parameters='dataset: str = "demo"',
    )
    notebook(
        origin / "3-training" / "tiny.ipynb",
        "%matplotlib inline\n" + NOTEBOOK,
        "pairs = load_pairs(dataset, '1-collect', raw_store(dataset)) if reads else []\n"
        "print('pairs:', [pair.id for pair in pairs], flush=True)",
        "if code:\n    raise SystemExit(code)",
        "folder = data_folder('3-training', dataset) / 'tiny'\n"
        "folder.mkdir(parents=True, exist_ok=True)\n"
        "seed = Path('../1-make/.data/seed').read_text()\n"
        "(folder / 'cache.npy').write_bytes(b'large')\n"
        "rank = os.environ.get('RANK', '-')\n"
        "(folder / f'rank{rank}.json').write_text(json.dumps({'epochs': epochs, 'seed': seed}))\n"
        "display('trained', epochs)\n"
        "report_outputs([folder])",
        parameters='dataset: str = "demo"\nepochs: int = 1\ncode: int = 0\nreads: bool = False',
    )
    git("init", "--quiet", "--initial-branch=main", cwd=origin)
    git("add", "-A", cwd=origin)
    git("commit", "--quiet", "-m", "First", cwd=origin)
    return origin


@dataclass
class Machine:
    """A machine on which `run_colab.sh` is called.

    Attributes:
        home: where it is called, and the stand-in for `/content`.
        installed: the list that the stand-in installer was given.
    """

    home: Path
    installed: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def drive(self) -> Path:
        return self.home / "drive" / "MyDrive" / "lost-and-found"

    def environment(self) -> dict[str, str]:
        plain = {k: v for k, v in os.environ.items() if not k.startswith("LOST_AND_FOUND_")}
        plain.pop("CUDA_VISIBLE_DEVICES", None)
        return {
            **plain,
            "PATH": f"{self.home / 'bin'}:/usr/bin:/bin",
            "PYTHON": sys.executable,
            "OMP_NUM_THREADS": "1",
            "LOST_AND_FOUND_CONTENT": str(self.home),
            **self.extra,
        }

    def run(self, script: Path, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            ["bash", str(script), *arguments],
            cwd=self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A stand-in for Colab: its folders, an installer that installs nothing, no GPU."""
    home = tmp_path / "content"
    executable(home / "bin" / "uv", FAKE_UV.format(log=tmp_path / "installed.txt"))
    return Machine(home, tmp_path / "installed.txt")


@pytest.fixture
def zipped(pairs: Path, tmp_path: Path) -> Path:
    path = tmp_path / "pairs.zip"
    with zipfile.ZipFile(path, "w") as made:
        for file in sorted(pairs.iterdir()):
            made.write(file, file.name)
    return path


@pytest.fixture
def server(tmp_path: Path, machine: Machine) -> Iterator[Any]:
    """`sshd` on loopback with keys of its own; gives the command that reaches it."""
    daemon = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if daemon is None or shutil.which("ssh") is None:
        pytest.skip("needs sshd and ssh: apt-get install openssh-server openssh-client")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(key, check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    if os.geteuid() == 0:  # sshd asks for it when it runs as root
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    there = {k: v for k, v in machine.environment().items() if k in ("PATH", "PYTHON")}
    there |= {"LOST_AND_FOUND_CONTENT": str(tmp_path / "no-content")}
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'authorized'}",
        f"PidFile {folder / 'pid'}",
        "StrictModes no",
        "UsePAM no",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        "SetEnv " + " ".join(f"{name}={value}" for name, value in there.items()),
    ]
    (folder / "config").write_text("\n".join(lines) + "\n")
    command = [daemon, "-D", "-e", "-f", str(folder / "config")]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            _wait_for(port, process)
            options = f"-p {port} -i {folder / 'user'} -F none -o BatchMode=yes -o LogLevel=ERROR"
            options += f" -o UserKnownHostsFile={folder / 'known'} -o StrictHostKeyChecking=no"
            yield f"ssh {options}"
        finally:
            process.terminate()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.skip("sshd does not start here")
