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
    _Case("street views, 100 a second, answers after 0.2 s", 100.0, 64, 0.2, 30),
    _Case("street views, the default 10 a second, after 0.5 s", 10.0, 16, 0.5, 3),
)


def rows() -> Iterator[Row]:
    """Each case: all requests, of metadata and photos, as a share of the allowed rate."""
    for case in CASES:
        with _serving(case.delay_s) as (url, link):
            yield _measured(case, url, link)


def _measured(case: _Case, url: str, link: Connection) -> Row:
    service = Service(Secret(KEY), None, url, case.rate, case.concurrency)
    n_places = max(1, round(case.places_per_cell * scale()))
    areas = cell_areas(grid_partition(shapely.box(0, 48, 5, 53), 1.0), n_places)
    with tempfile.TemporaryDirectory(prefix="bench-street-view-") as folder:
        start = time.perf_counter()
        found = find_places(Path(folder), areas, service, CAMERA, Search(radius_m=3000))
        found_s, n_metadata = time.perf_counter() - start, _n_requests(link)
        photos = wanted_photos(found.places, HEADINGS, 0)
        limits = Limits(confirm_usd=1e6, max_requests=10**9)
        taken = take_photos(Path(folder), photos, service, CAMERA, limits)
        all_s, n_all = time.perf_counter() - start, _n_requests(link)
    if len(taken.ids) < len(photos):
        msg = f"Expected {len(photos)} photos, but got {len(taken.ids)}: {taken.failed}"
        raise RuntimeError(msg)
    photos_per_s = (n_all - n_metadata) / (all_s - found_s)
    parts = f"metadata {n_metadata / found_s:.1f}, photos {photos_per_s:.1f}"
    ratio = n_all / all_s / case.rate
    is_good = ASKED <= ratio <= 1.05  # more than the allowed rate is as wrong as less
    ours = f"{n_all / all_s:.1f}/s ({parts})"
    return Row(case.name, ours, f"{case.rate:g}/s allowed", ratio, f">= {ASKED}", is_good)


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
