"""What the adapters share: the draw, resuming after a kill, a full disk, the account."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from shared.collection.public import gathering
from shared.collection.public.account import Skips, Source
from shared.collection.public.gathering import Subset, chosen_ids, collect_pairs, record_text
from shared.collection.public_datasets import ADAPTERS, Request, adapter_of, explained
from shared.countries import UnknownCountryError
from shared.data_loader import DataListError, Store, dataset_settings, raw_store, stable_order
from tests.collection.public_stand_ins import jpeg, make_osv5m
from tests.collection.public_stand_ins import project as project

ROOT = Path(__file__).parents[2]


class Made:
    """An adapter of numbered pictures that may change."""

    def __init__(self, n_pairs: int, version: str = "1", broken: Sequence[str] = ()) -> None:
        self.source = Source("made", f"nowhere, version {version}", "CC0", "Nothing.")
        self.names = [f"view_{number:03d}" for number in range(n_pairs)]
        self.broken = broken
        self.asked: list[str] = []

    def ids(self, countries: frozenset[str], skips: Skips) -> Iterable[str]:
        yield from self.names

    def record(self, name: str) -> bytes:
        return record_text({"coordinates": [1.0, 2.0], "date": ""}, self.source)

    def images(self, names: Sequence[str], skips: Skips) -> Iterator[tuple[str, bytes]]:
        for name in names:
            self.asked.append(name)
            if name in self.broken:
                skips.add("gone", name)
            else:
                yield name, jpeg(int(name[-3:]))


def files(store: Store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.images.glob("view_*")}


@pytest.mark.parametrize("chunk", [7, 100_000])
def test_the_draw_is_that_of_the_data_loader_whatever_the_chunks(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "_CHUNK", chunk)
    names = [f"id_{number}" for number in range(100)]
    drawn, n_listed = chosen_ids(iter(names), Subset(limit=10, seed=3))
    assert drawn == sorted(stable_order(names, 3)[:10])
    assert n_listed == 100
    fewer, _ = chosen_ids(reversed(names[:60]), Subset(limit=10, seed=3))
    assert set(drawn) & set(names[:60]) <= set(fewer)
    assert chosen_ids(names, Subset())[0] == sorted(names)


def test_a_changed_source_is_written_anew_and_an_unchanged_one_kept() -> None:
    store = raw_store("made", source="")
    collect_pairs(Made(5), store, Subset())
    before = files(store)
    same = Made(6)
    account = collect_pairs(same, store, Subset())
    assert same.asked == ["view_005"]
    assert (account.n_written, account.n_kept) == (1, 5)
    assert before.items() <= files(store).items()
    other = Made(6, version="2", broken=["view_002"])
    account = collect_pairs(other, store, Subset())
    assert (account.n_written, account.n_kept) == (5, 0)
    assert "view_002" not in account.ids  # an old pair under a new source is none of it
    assert "version 2" in json.loads((store.images / "view_003.json").read_text())["source"]


def test_a_nested_store_stays_nested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_STORE", "nested")
    store = raw_store("made", source="")
    collect_pairs(Made(2), store, Subset())
    assert sorted(path.name for path in (store.images / "vi").iterdir()) == [
        *("view_000.jpg", "view_000.json", "view_001.jpg", "view_001.json")
    ]


def test_ids_that_are_no_safe_names_are_left_out() -> None:
    made = Made(1)
    made.names += ["../x", "a b", "con", ".hidden", "ok..no", "x" * 300]
    account = collect_pairs(made, raw_store("made", source=""), Subset())
    assert account.ids == ["view_000"]
    assert account.skips.counts == {"a name that is not safe as the name of a file": 6}


def test_a_full_disk_stops_before_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MIN_FREE_BYTES", 10**18)
    store = raw_store("made", source="")
    with pytest.raises(OSError, match="bytes of free disk, got"):
        collect_pairs(Made(3), store, Subset())
    assert files(store) == {}


def test_the_account_says_where_from_how_many_and_why_not() -> None:
    store = raw_store("made", source="")
    account = collect_pairs(Made(9, broken=[f"view_00{k}" for k in range(5)]), store, Subset())
    text = (store.images / "ACCOUNT.md").read_text(encoding="utf-8")
    assert text == account.text()
    assert "* From: nowhere, version 1\n* Licence: CC0\n" in text
    assert "4 pairs of 9" in text
    assert "5 x gone: view_000, view_001, view_002, ..." in text


def test_a_subset_that_makes_no_sense_is_an_error() -> None:
    with pytest.raises(ValueError, match="limit: expected 0"):
        Subset(limit=-1)
    with pytest.raises(UnknownCountryError, match="Atlantis"):
        Subset(countries=["Atlantis"]).codes()


def test_every_adapter_is_explained_and_says_what_it_lacks() -> None:
    for name in ADAPTERS:
        assert "Licence" in explained(name) or name == "own-photos"
        assert "ontacts" in explained(name)
    with pytest.raises(DataListError, match=r"adapter: expected one of osv5m, .*, got 'x'"):
        explained("x")
    for name, lack in (
        ("osv5m", "revision"),
        ("lost-and-found", "address"),
        ("mapillary", "box"),
        ("own-photos", "address"),
    ):
        with pytest.raises(DataListError, match=f"^{lack}: expected"):
            adapter_of(name, Request("x"))


@pytest.mark.parametrize("name", ["osv5m", "lost-and-found", "mapillary", "own-photos"])
def test_each_data_set_names_its_adapter_and_its_licence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(ROOT))
    settings = dataset_settings(name)
    told = settings.parameters_for("1-data-collection/public_datasets")
    assert told["adapter"] == name
    assert "1-data-collection/public_datasets" in settings.run
    assert settings.licence
    assert not settings.show_photos  # they are not ours


@pytest.mark.slow
def test_killed_at_any_moment_no_half_pair_is_used_and_nothing_is_lost(
    tmp_path: Path, project: Path
) -> None:
    made = make_osv5m(tmp_path / "osv5m", per_shard=100)
    code = (
        "import sys; from shared.collection.public.gathering import *\n"
        "from shared.collection.public.osv5m import Osv5m\n"
        "from shared.data_loader import raw_store\n"
        "print('begins', flush=True)\n"
        "collect_pairs(Osv5m('', address=sys.argv[1]), raw_store('osv5m', source=''), Subset())\n"
    )
    command = [sys.executable, "-c", code, str(made.folder)]
    store = raw_store("osv5m", source="")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    n_seen = []
    for _ in range(3):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        target = len(list(store.images.glob("*.jpg"))) + 40
        give_up_s = time.monotonic() + 20
        while len(list(store.images.glob("*.jpg"))) < target and time.monotonic() < give_up_s:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
        images = {path.stem for path in store.images.glob("*.jpg")}
        for name in images:  # an image is never there without its whole record
            assert json.loads((store.images / f"{name}.json").read_text("utf-8"))["source"]
        n_seen.append(len(images))
    assert 0 < n_seen[0] < n_seen[1] < n_seen[2] < len(made.rows)
    kept = {path.name: path.stat().st_mtime_ns for path in store.images.glob("*.jpg")}
    adapter = adapter_of("osv5m", Request("osv5m", address=str(made.folder)))
    account = collect_pairs(adapter, store, Subset())
    assert set(account.ids) == set(made.rows)
    assert account.n_kept == len(kept)
    assert all(
        (store.images / name).stat().st_mtime_ns == time_ns for name, time_ns in kept.items()
    )
