"""A project root of a test's own."""

import os
from pathlib import Path

import pytest


def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root without options from outside, whose downloads are quick to give up."""
    for name in list(os.environ):
        if name.startswith("LOST_AND_FOUND_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(root))
    monkeypatch.setenv("LOST_AND_FOUND_TIMEOUT", "5")
    monkeypatch.setattr("shared.data_loader.finding.FIRST_WAIT_S", 0.01)
    return root
