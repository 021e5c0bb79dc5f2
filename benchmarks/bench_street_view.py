"""Street view collection against a stand-in on loopback, as a share of the allowed request rate.

The stand-in answers in a process of its own, each request after a wait like a distant service's,
and fails a few of them; tries again count as requests, since the service counts them, too.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import shapely

from benchmarks.table import Row, scale
from shared.collection.street_view import Limits, take_photos
from shared.collection.street_view_find import Search, find_places
from shared.collection.street_view_photos import wanted_photos
from shared.collection.street_view_places import cell_areas
from shared.collection.street_view_service import Camera, Secret, Service
from shared.grid import grid_partition
from tests.collection.street_view_api import KEY, StandIn

ASKED = 0.9  # of the allowed rate
FAULTS = {"HTTP 503": 0.01, "cut off": 0.005, "UNKNOWN_ERROR": 0.005}
HEADINGS = [0, 90, 180, 270]
CAMERA = Camera(640, 640)


@dataclass(frozen=True)
class _Case:
    """What is allowed, how slow the service is, and how many places are wanted of 25 cells."""

    name: str
    rate: float
    concurrency: int
    delay_s: float
    places_per_cell: int


CASES = (
    _Case("street views, 100 a second, answers after 0.3 s", 100.0, 64, 0.3, 10),
    _Case("street views, the default 10 a second, after 0.5 s", 10.0, 16, 0.5, 1),
)


def rows() -> Iterator[Row]:
    """Metadata and photos of each case, each as a share of the allowed rate."""
    for case in CASES:
        with _serving(case.delay_s) as (url, link):
            yield from _measured(case, url, link)


def _measured(case: _Case, url: str, link: Connection) -> Iterator[Row]:
    service = Service(Secret(KEY), None, url, case.rate, case.concurrency)
    n_places = max(1, round(case.places_per_cell * scale()))
    areas = cell_areas(grid_partition(shapely.box(0, 48, 5, 53), 1.0), n_places)
    with tempfile.TemporaryDirectory(prefix="bench-street-view-") as folder:
        start = time.perf_counter()
        search = Search(radius_m=3000)
        found = find_places(Path(folder), areas, service, CAMERA, search)
        metadata_s = time.perf_counter() - start
        n_metadata = _n_requests(link)
        photos = wanted_photos(found.places, HEADINGS, 0)
        start = time.perf_counter()
        limits = Limits(confirm_usd=1e6, max_requests=10**9)
        taken = take_photos(Path(folder), photos, service, CAMERA, limits)
        photos_s = time.perf_counter() - start
    if len(taken.ids) < len(photos):
        msg = f"Expected {len(photos)} photos, but got {len(taken.ids)}: {taken.failed}"
        raise RuntimeError(msg)
    yield _row(f"{case.name}: metadata", n_metadata / metadata_s, case.rate)
    yield _row(f"{case.name}: photos", (_n_requests(link) - n_metadata) / photos_s, case.rate)


def _row(name: str, ours: float, allowed: float) -> Row:
    ratio = ours / allowed
    is_good = ASKED <= ratio <= 1.05  # more than the allowed rate is as wrong as less
    return Row(name, f"{ours:.1f}/s", f"{allowed:g}/s allowed", ratio, f">= {ASKED}", is_good)


def _n_requests(link: Connection) -> int:
    link.send("count")
    return int(link.recv())


@contextmanager
def _serving(delay_s: float) -> Iterator[tuple[str, Connection]]:
    """The stand-in in a process of its own: its address, and a line to ask for its count."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, delay_s), daemon=True)
    process.start()
    try:
        yield str(ours.recv()), ours
        ours.send("stop")
        process.join(10)
    finally:
        process.kill()
        process.join(10)


def _serve(link: Connection, delay_s: float) -> None:
    with StandIn(faults=FAULTS, delay_s=delay_s, share_covered=0.9) as api:
        link.send(api.url)
        while link.recv() == "count":
            link.send(len(api.asked))
