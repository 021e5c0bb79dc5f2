"""How a collection of GeoGuessr rounds goes on: figures for the notebook."""

import json
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shared.collection.figures import contact_sheet, world_map
from shared.collection.geoguessr_limits import Report
from shared.collection.geoguessr_store import MODES, PHOTO
from shared.data_loader import read_record

RUNS = ".runs.jsonl"  # a line a run


def rounds_table(folder: Path) -> pd.DataFrame:
    """The whole pairs of a folder, in order of the time when they were collected.

    Returns:
        Indexed by id: `mode`, `game`, `round`, `collected` (UTC), `country`, `lat`, `lon`
        (degrees); nothing where a record has none.
    """
    rows = [
        {"id": path.stem, **read_record(path)}
        for path in folder.glob("*.json")
        if path.stem.startswith(MODES) and path.with_suffix(PHOTO).exists()
    ]
    table = pd.DataFrame(rows, columns=["id", "game", "round", "collected", "country"])
    points = [row.get("coordinates") or (None, None) for row in rows]
    table[["lat", "lon"]] = pd.DataFrame(points, columns=["lat", "lon"], dtype=float)
    table["mode"] = [str(row["id"]).partition("_")[0] for row in rows]
    table["collected"] = pd.to_datetime(table["collected"], utc=True)
    return table.sort_values(["collected", "id"]).set_index("id")


def runs_table(folder: Path) -> pd.DataFrame:
    """The runs so far: rounds, games, rounds an hour, failures by kind, why each ended."""
    path = folder / RUNS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    runs = [json.loads(line) for line in lines]
    table = pd.DataFrame(runs, columns=["ended", "rounds", "games", "seconds", "stopped"])
    table["rounds an hour"] = (3600 * table["rounds"] / table["seconds"]).round()
    failures = pd.DataFrame([run["failures"] for run in runs], index=table.index)
    return table.join(failures.fillna(0).astype(int))


def write_run(folder: Path, report: Report) -> None:
    """Add a run to the list of runs."""
    with (folder / RUNS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(report.as_json()) + "\n")


def draw_progress(axes: Axes, report: Report) -> None:
    """Rounds over the minutes of a run."""
    minutes = [0.0, *(seconds / 60 for seconds in report.times_s)]
    axes.step(minutes, range(len(minutes)), where="post")
    axes.set(xlabel="minutes since the start", ylabel="rounds saved")
    axes.set_title(f"{len(report.ids):,} rounds, {report.rounds_an_hour:,.0f} an hour")


def sheet_of_rounds(folder: Path, rounds: pd.DataFrame, n: int = 12, title: str = "") -> Figure:
    """The photos of the latest rounds, with their place or country.

    Args:
        folder: where the pairs lie.
        rounds: of `rounds_table`.
        n: how many photos.
        title: stands above.
    """
    latest = rounds.tail(n)
    photos = [
        (_label(country, lat, lon), folder / f"{name}{PHOTO}")
        for name, country, lat, lon in zip(
            latest.index, latest["country"], latest["lat"], latest["lon"], strict=True
        )
    ]
    return contact_sheet(
        photos, min(6, len(photos)), title, (9, 1.3 + 1.0 * (-(-len(photos) // 6)))
    )


def map_of_rounds(rounds: pd.DataFrame, title: str) -> Figure:
    """Where the rounds with coordinates lie."""
    figure, axes = world_map(title)
    placed = rounds.dropna(subset=["lat", "lon"])
    axes.scatter(placed["lon"], placed["lat"], s=8, color="#1f5fa8", edgecolor="none")
    return figure


def _label(country: object, lat: float, lon: float) -> str:
    return country if isinstance(country, str) else f"{lat:.2f}°, {lon:.2f}°"


def failures_table(report: Report) -> pd.DataFrame:
    """Failures of a run by kind, the most frequent first."""
    found = report.failures.most_common()
    return pd.DataFrame(found, columns=["kind", "times"]).set_index("kind")
