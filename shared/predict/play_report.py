"""What the model's games came to: tables, intervals, figures. Degrees `(lat, lon)`, km, points."""

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from shared.arcs import great_circle
from shared.boundaries import CRS, world_outlines
from shared.evaluation.figures import BLUE, INK, ORANGE, new_figure, plain
from shared.evaluation.intervals import Interval, PlaceBootstrap
from shared.evaluation.maps import ROBINSON, draw_world
from shared.geo import GEOSCORE_MAXIMUM, Floats, geo_score, haversine_km
from shared.predict.play import PlayedRound, PlayReport

GREEN = "#2f9e44"


def told_rounds(report: PlayReport) -> list[PlayedRound]:
    """The rounds whose true place was told."""
    return [played for played in report.rounds if played.truth is not None]


def rounds_table(report: PlayReport, constant: ArrayLike) -> pd.DataFrame:
    """A row a round whose place was told.

    Args:
        report: what was played.
        constant: (2,) a guess that never changes, degrees.

    Returns:
        `game` and `round` from 1, `guess` (the likeliest country), `lat`, `lon` (what was
        clicked), `true_lat`, `true_lon`, `km` between them, `expected_km` (what the model thought),
        `points` as shown, `constant` (points that the constant guess would have got).
    """
    games = {game: number for number, game in enumerate(report.totals, start=1)}
    rows = []
    for played in told_rounds(report):
        pin = played.answer.pin
        rows.append(
            {
                "game": games.setdefault(played.game, len(games) + 1),
                "round": played.number,
                "guess": played.answer.countries[0].name,
                "lat": played.clicked[0],
                "lon": played.clicked[1],
                "true_lat": played.truth[0] if played.truth else np.nan,
                "true_lon": played.truth[1] if played.truth else np.nan,
                "expected_km": pin.expected_km if pin else None,
                "points": played.points,
            }
        )
    table = pd.DataFrame(rows, columns=[*_COLUMNS])
    truths = table[["true_lat", "true_lon"]].to_numpy(np.float64)
    table.insert(7, "km", haversine_km(table[["lat", "lon"]].to_numpy(np.float64), truths))
    table["constant"] = geo_score(haversine_km(np.asarray(constant, np.float64), truths))
    return table


_COLUMNS = (
    *("game", "round", "guess", "lat", "lon", "true_lat", "true_lon"),
    *("expected_km", "points"),
)


def games_table(table: pd.DataFrame, totals: Mapping[str, int | None]) -> pd.DataFrame:
    """A row a game: `rounds`, `points`, what the page `shown` as its total, `constant`.

    Args:
        table: of `rounds_table`.
        totals: by game, as the results pages showed them.
    """
    games = table.groupby("game").agg(
        rounds=("points", "size"), points=("points", "sum"), constant=("constant", "sum")
    )
    numbers = range(1, len(totals) + 1)
    games.insert(2, "shown", pd.Series(list(totals.values()), index=numbers, dtype="Int64"))
    return games


def mean_points(table: pd.DataFrame, bootstrap: PlaceBootstrap) -> dict[str, Interval]:
    """Mean points of a round: of the `model`, of the `constant` guess, and their `difference`.

    The intervals are a bootstrap over rounds; the difference is paired.

    Args:
        table: of `rounds_table`, with at least one round.
        bootstrap: how rounds are drawn.
    """
    ones = np.ones(len(table))
    sums = [{"points": table[name].to_numpy(np.float64), "n": ones} for name in _KINDS.values()]

    def figures(totals: Mapping[str, Floats]) -> Mapping[str, Floats]:
        return {"mean": totals["points"] / totals["n"]}

    found = {
        kind: bootstrap.intervals(part, figures)["mean"]
        for kind, part in zip(_KINDS, sums, strict=True)
    }
    return {**found, "difference": bootstrap.differences(sums[0], sums[1], figures)["mean"]}


_KINDS = {"model": "points", "constant": "constant"}


def points_text(found: Interval) -> str:
    """Points with their interval: `"2,345 (1,900 to 2,800)"`."""
    return f"{found.value:,.0f} ({found.lower:,.0f} to {found.upper:,.0f})"


def rounds_map(table: pd.DataFrame, note: str) -> Figure:
    """A map of the world: the guesses, the true places, and the way between them.

    Args:
        table: of `rounds_table`.
        note: the foot.
    """
    figure = new_figure(8, 4.1, note)
    axes = figure.add_subplot()
    draw_world(axes, world_outlines().to_crs(ROBINSON))
    guesses, truths = (
        table[columns].to_numpy(np.float64)
        for columns in (["lat", "lon"], ["true_lat", "true_lon"])
    )
    lines = [line for pair in zip(guesses, truths, strict=True) for line in _ways(*pair)]
    gpd.GeoSeries(lines, crs=CRS).to_crs(ROBINSON).plot(
        ax=axes, color=INK, linewidth=0.8, alpha=0.7
    )
    for points, colour, marker, name in (
        (truths, GREEN, "o", "true place"),
        (guesses, ORANGE, "X", "guess"),
    ):
        xy = gpd.GeoSeries.from_xy(points[:, 1], points[:, 0], crs=CRS).to_crs(ROBINSON)
        axes.scatter(
            xy.x,
            xy.y,
            s=26,
            c=colour,
            marker=marker,
            edgecolors="white",
            linewidths=0.5,
            zorder=3,
            label=name,
        )
    axes.legend(loc="lower left", frameon=False, fontsize=8)
    return figure


def _ways(first: Floats, second: Floats) -> Sequence[shapely.LineString]:
    """The great circle between two points, cut at the antimeridian; (lon, lat)."""
    path = great_circle(first, second)[:, ::-1]
    cuts = np.flatnonzero(np.abs(np.diff(path[:, 0])) > 180) + 1
    return [shapely.LineString(part) for part in np.split(path, cuts) if len(part) > 1]


def points_figure(table: pd.DataFrame, note: str) -> Figure:
    """Points of each round as bars, those of the constant guess as marks.

    Args:
        table: of `rounds_table`.
        note: the foot.
    """
    figure = new_figure(8, 2.8, note)
    axes = figure.add_subplot()
    plain(axes)
    at = np.arange(len(table)) + 0.6 * (table["game"].to_numpy() - 1)
    axes.bar(at, table["points"], color=BLUE, width=0.8, label="the model")
    name = "constant guess"
    axes.scatter(at, table["constant"], color=ORANGE, marker="_", s=160, linewidths=2, label=name)
    axes.set_xticks(at, table["round"], fontsize=7)
    axes.set(ylim=(0, GEOSCORE_MAXIMUM), ylabel="points", xlabel="round, game by game")
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    return figure
