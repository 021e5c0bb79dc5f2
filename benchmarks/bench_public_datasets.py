"""Reading OSV-5M's `train.csv`, typed and checked, against a bare read of the same file by polars.

The table is made: one million rows of all 32 columns, about as wide as the real ones (600 bytes a
row there, with addresses that are left out of records).
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.table import Row, scale
from shared.collection.public.osv5m_table import read_osv5m_table

N_ROWS = 1_000_000
N_ROUNDS = 5
ASKED = 0.5
CODES = ["NA", "US", "FR", "ZA", "IN", "BR", "NO", "NZ"]


def rows() -> Iterator[Row]:
    """One row: rows a second, ours and polars's own, by the median of interleaved rounds."""
    n_rows = max(10_000, round(N_ROWS * scale()))
    with tempfile.TemporaryDirectory(prefix="bench-osv5m-") as folder:
        path = Path(folder) / "train.csv"
        _made(n_rows).write_csv(path)
        taken = [
            (_timed(lambda: read_osv5m_table(path)), _timed(lambda: pl.read_csv(path)))
            for _ in range(N_ROUNDS)
        ]
    ours, bare = (statistics.median(side) for side in zip(*taken, strict=True))
    ratio = bare / ours
    yield Row(
        f"reading OSV-5M's table, all columns typed, {n_rows:,} rows, x bare polars",
        f"{n_rows / ours:,.0f} rows/s",
        f"{n_rows / bare:,.0f} rows/s",
        ratio,
        f">= {ASKED:g} x",
        ratio >= ASKED,
    )


def _made(n_rows: int) -> pl.DataFrame:
    """A table like `train.csv`."""
    random = np.random.default_rng(0)
    index = np.arange(n_rows)
    codes = np.array(CODES)[random.integers(len(CODES), size=n_rows)]
    table = {
        "id": 100_000_000_000_000 + index * 7919,
        "latitude": random.uniform(-60, 75, n_rows),
        "longitude": random.uniform(-180, 180, n_rows),
        "thumb_original_url": [f"https://images.example/{k:x}?{'q' * 180}" for k in range(n_rows)],
        "country": codes,
        "sequence": [f"sequence{k // 9:016d}" for k in range(n_rows)],
        "captured_at": 1_500_000_000_000 + index * 1000,
        "lon_bin": random.integers(0, 90, n_rows),
        "lat_bin": random.integers(0, 90, n_rows),
        "cell": [f"({k % 90}, {k % 77})" for k in range(n_rows)],
    }
    for name in ("region", "sub-region", "city"):
        table[name] = [f"{name} of {code}" if k % 7 else "" for k, code in enumerate(codes)]
    for name in ("land_cover", "road_index", "drive_side", "climate", "soil", "dist_sea"):
        table[name] = random.uniform(0, 30, n_rows)
    for size in (5000, 25000, 1000, 50000, 12500, 500, 2500):
        table[f"quadtree_10_{size}"] = random.integers(0, 12_000, n_rows)
    for name in ("region", "sub-region", "city"):
        table[f"unique_{name}"] = [f"{name} of {code}_{code}" for code in codes]
    table["unique_country"] = codes
    table["creator_username"] = [f"contributor{k % 5000}" for k in range(n_rows)]
    table["creator_id"] = random.integers(10**13, 10**14, n_rows)
    return pl.DataFrame(table)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
