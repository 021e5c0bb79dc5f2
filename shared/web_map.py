"""Interactive maps of the world as one HTML page that asks for nothing. Degrees, `(lat, lon)`.

plotly's geographic maps fetch their coast lines from a server, unless they are told not to draw
any; the outlines here are ours (Natural Earth 110m, as pyogrio carries them), and plotly's script
is inside the page, which forbids itself every request.
"""

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.colors
import plotly.graph_objects as go
import plotly.io
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import Geometry

from shared.arcs import circle, great_circle
from shared.boundaries import world_outlines
from shared.geo import check_points

LAND, COAST, SEA, INK = "#f3f4f6", "#9aa5b1", "#ffffff", "#1f2933"
BLUE, GREEN, YELLOW, ORANGE = "#1f6f8b", "#2f9e44", "#f2c037", "#d9822b"
SCALE = "Teal"
SIMPLE_DEG = 0.02  # detail of an area that a map of the world cannot show
FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)


def world_map(title: str = "", note: str = "", projection: str = "natural earth") -> go.Figure:
    """A map with nothing on it but land.

    Args:
        title: above it.
        note: at its foot: what is shown, how many, whether it is synthetic.
        projection: one of plotly's, such as `"natural earth"` or `"equirectangular"`.
    """
    figure = go.Figure()
    figure.add_trace(_fill(list(world_outlines().geometry), LAND, COAST, "land"))
    figure.update_geos(
        visible=False,
        projection_type=projection,
        bgcolor=SEA,
        lataxis_showgrid=True,
        lonaxis_showgrid=True,
        lataxis_gridcolor="#eef0f2",
        lonaxis_gridcolor="#eef0f2",
    )
    figure.update_layout(
        title={"text": html.escape(title), "font_size": 16, "x": 0.01},
        font={"family": FONT, "color": INK},
        margin={"l": 8, "r": 8, "t": 44 if title else 8, "b": 28 if note else 8},
        legend={"orientation": "h", "y": 0.02, "x": 0.01},
        paper_bgcolor="white",
    )
    if note:
        place: dict[str, Any] = {"x": 1, "y": 0, "xref": "paper", "yref": "paper", "yshift": -22}
        figure.add_annotation(
            text=html.escape(note), showarrow=False, xanchor="right", font_size=11, **place
        )
    return figure


def add_areas(
    figure: go.Figure,
    areas: Sequence[Geometry],
    values: ArrayLike,
    labels: Sequence[str],
    what: str,
    centres: ArrayLike | None = None,
) -> None:
    """Shade areas by a value, darkest the largest; a bar tells the scale.

    Args:
        figure: of `world_map`.
        areas: K polygons or multipolygons in degrees, (lon, lat) inside.
        values: (K,) values, such as probabilities; not negative.
        labels: (K,) what is shown where the mouse is at the middle of an area.
        what: what the values are, for the bar.
        centres: (K, 2) where that is, degrees; a point inside of each where None.

    Raises:
        ValueError: when the numbers of areas, values and labels differ, or a value is negative.
    """
    shares = np.asarray(values, dtype=np.float64)
    if shares.shape != (len(areas),) or len(labels) != len(areas) or not (shares >= 0).all():
        msg = (
            f"Expected as many values (not negative) and labels as areas ({len(areas)}), got "
            f"values of shape {shares.shape} and {len(labels)} labels"
        )
        raise ValueError(msg)
    if not len(areas):
        return
    top = max(float(shares.max()), 1e-12)
    for row in np.argsort(shares, kind="stable"):
        colour = plotly.colors.sample_colorscale(SCALE, [float(shares[row]) / top])[0]
        figure.add_trace(_fill([areas[row]], colour, COAST, labels[row]))
    middles = _inside(areas) if centres is None else check_points(centres, "centres")
    figure.add_trace(
        go.Scattergeo(
            lat=middles[:, 0],
            lon=middles[:, 1],
            mode="markers",
            text=[html.escape(label) for label in labels],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "size": 12,
                "opacity": 0,
                "color": shares,
                "cmin": 0,
                "cmax": top,
                "colorscale": SCALE,
                "colorbar": {"title": what, "thickness": 12, "len": 0.6},
            },
            showlegend=False,
            name=what,
        )
    )


def add_points(
    figure: go.Figure,
    points: ArrayLike,
    labels: Sequence[str],
    name: str,
    colour: str = BLUE,
    sizes: ArrayLike = 7,
    symbol: str = "circle",
    opacity: float = 0.8,
) -> None:
    """Put points on a map.

    Args:
        figure: of `world_map`.
        points: (N, 2) latitudes and longitudes, degrees.
        labels: (N,) what is shown under the mouse.
        name: in the legend.
        colour: of the points.
        sizes: one, or (N,), pixels.
        symbol: one of plotly's.
        opacity: 0 to 1.
    """
    array = check_points(points).reshape(-1, 2)
    size = np.asarray(sizes, dtype=np.float64)
    figure.add_trace(
        go.Scattergeo(
            lat=array[:, 0],
            lon=array[:, 1],
            mode="markers",
            text=[html.escape(label) for label in labels],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "size": size if size.ndim else float(size),
                "color": colour,
                "symbol": symbol,
                "opacity": opacity,
                "line": {"width": 0.5, "color": "white"},
            },
            name=name,
        )
    )


def add_circle(
    figure: go.Figure, middle: ArrayLike, radius_km: float, name: str, colour: str = ORANGE
) -> None:
    """Draw the circle of places that are as far from a point, on the sphere.

    Args:
        figure: of `world_map`.
        middle: (2,) latitude and longitude, degrees.
        radius_km: along the sphere, km.
        name: in the legend.
        colour: of the line.
    """
    ring = circle(middle, radius_km)
    figure.add_trace(
        go.Scattergeo(
            lat=ring[:, 0],
            lon=ring[:, 1],
            mode="lines",
            line={"width": 1.5, "color": colour, "dash": "dot"},
            hoverinfo="skip",
            name=name,
        )
    )


def add_line(figure: go.Figure, first: ArrayLike, second: ArrayLike, label: str) -> None:
    """Draw the great circle between two points, (2,) degrees each."""
    path = great_circle(first, second)
    figure.add_trace(
        go.Scattergeo(
            lat=path[:, 0],
            lon=path[:, 1],
            mode="lines",
            line={"width": 1.5, "color": INK},
            text=html.escape(label),
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            name="",
        )
    )


def focus(figure: go.Figure, points: ArrayLike, margin_deg: float = 8.0) -> None:
    """Turn and zoom a map so that points, (N, 2) degrees, fill it, with a margin around them."""
    array = check_points(points).reshape(-1, 2)
    low, high = array.min(axis=0) - margin_deg, array.max(axis=0) + margin_deg
    figure.update_geos(
        lataxis_range=[max(-90, low[0]), min(90, high[0])],
        lonaxis_range=[max(-180, low[1]), min(180, high[1])],
    )


def write_page(figure: go.Figure, path: Path, title: str) -> Path:
    """Write a figure as one HTML page, under its name only when it is whole.

    Args:
        figure: a figure.
        path: the file.
        title: of the page.

    Returns:
        The path.
    """
    drawn = plotly.io.to_html(
        figure, include_plotlyjs=True, full_html=False, config={"displaylogo": False}
    )
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{html.escape(title)}</title>"
        "<style>html, body { height: 100%; margin: 0 } body > div { height: 100% }</style>"
        f"</head>\n<body>{drawn}</body></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)
    return path


def _fill(areas: Sequence[Geometry], colour: str, line: str, name: str) -> go.Scattergeo:
    """Filled areas as one trace; holes stay empty where their rings turn the other way."""
    rings = [ring for area in areas for ring in _rings(area)]
    gap = np.full((1, 2), np.nan)
    parts = [part for ring in rings for part in (ring, gap)]
    lon_lat = np.concatenate(parts[:-1]) if parts else np.empty((0, 2))
    return go.Scattergeo(
        lon=np.round(lon_lat[:, 0], 3),
        lat=np.round(lon_lat[:, 1], 3),
        mode="lines",
        fill="toself",
        fillcolor=colour,
        line={"width": 0.6, "color": line},
        hoverinfo="skip",
        showlegend=False,
        name=name,
    )


def _rings(area: Geometry) -> list[NDArray[np.float64]]:
    """The outer rings of an area as plotly fills them, (lon, lat)."""
    simple = shapely.simplify(area, SIMPLE_DEG)
    found = []
    for part in shapely.get_parts(simple):
        if part.geom_type == "Polygon" and not part.is_empty:
            turned = shapely.orient_polygons(part, exterior_cw=True)
            found.append(shapely.get_coordinates(turned.exterior))
    return found


def _inside(areas: Sequence[Geometry]) -> NDArray[np.float64]:
    inside = shapely.point_on_surface(np.asarray(areas, dtype=object))
    return np.stack([shapely.get_y(inside), shapely.get_x(inside)], axis=1)
