"""Answers on a map of the world: areas shaded by probability, a point only where asked for."""

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import shapely

from shared.boundaries import world_outlines
from shared.evaluation.cells import CELLS
from shared.geo import Floats
from shared.predict.answers import Answer, Answers
from shared.predict.areas import Classes
from shared.web_map import BLUE, ORANGE, add_areas, add_points, focus, world_map

SHADED = 40  # classes at most: what is left has hardly any probability
SMALLEST = 0.005  # less cannot be told from the colour of land
SHELLS = (0.5, 0.75, 0.9)  # of a spread over cells: nested areas that hold these shares
MOST_ANSWERS = 100  # on one page, which would grow too large to open
LARGE_SPAN_DEG = 100.0  # a wider answer is shown on the whole world
WIDER_DEG = 22.0  # of longitude on each side, where a map shows a part of the world
PROBABILITY = "probability"


def answers_map(answers: Answers, title: str = "Where was it taken?") -> go.Figure:
    """A map with a menu that chooses the photo, or the place.

    Args:
        answers: what `Predictor.predict` gave.
        title: above the map.

    Raises:
        ValueError: when there is no answer to draw.
    """
    if not len(answers):
        msg = f"Expected an answer to draw, but all photos were refused: {dict(answers.refused)}"
        raise ValueError(msg)
    figure = world_map(title, note=_note(answers))
    base, spans = len(figure.data), []
    for row in range(min(len(answers), MOST_ANSWERS)):
        start = len(figure.data)
        _draw(figure, answers, row)
        spans.append((start, len(figure.data)))
    _choose(figure, answers.answers, base, spans)
    if len(spans) == 1:
        _zoom(figure, answers, 0)
    figure.update_layout(margin_t=110)
    return figure


def answer_map(answers: Answers, row: int = 0) -> go.Figure:
    """A map of one answer alone, without a title, for an app.

    Args:
        answers: what `Predictor.predict` gave.
        row: which of them.
    """
    figure = world_map()
    _draw(figure, answers, row)
    _zoom(figure, answers, row)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, height=430)
    return figure


def _draw(figure: go.Figure, answers: Answers, row: int) -> None:
    answer = answers[row]
    if answers.classes is not None:
        classes, found = Classes(answers.classes), answers.probabilities[row]
        draw_shares(figure, classes, found)
    else:
        _draw_country(figure, answer)
    if answer.pin is not None:
        label = f"a point, as asked for: {answer.pin.how}"
        point = [[answer.pin.lat, answer.pin.lon]]
        add_points(figure, point, [label], "point asked for", ORANGE, 11, "x", 1.0)


def _draw_country(figure: go.Figure, answer: Answer) -> None:
    """Shade the country that a model without a spread points at."""
    best = answer.countries[0]
    outlines = world_outlines().set_index("code").geometry
    if best.code in outlines.index:
        label = f"{best.name}: where the model points; it cannot say how sure it is"
        add_areas(figure, [outlines[best.code]], [1.0], [label], PROBABILITY)
        figure.data[-1].marker.showscale = False


def draw_shares(figure: go.Figure, classes: Classes, probabilities: Floats) -> None:
    """Shade the classes of an answer by their probability.

    Args:
        figure: of `shared.web_map.world_map`.
        classes: the classes.
        probabilities: (K,) of them.
    """
    if classes.kind == CELLS:
        _draw_shells(figure, classes, probabilities)
        return
    rows = shaded(probabilities)
    outlined = [row for row in rows if classes.outlines.iloc[row] is not None]
    if outlined:
        add_areas(
            figure,
            [classes.outlines.iloc[row] for row in outlined],
            probabilities[outlined],
            [_label(classes, row, probabilities) for row in outlined],
            PROBABILITY,
        )
        figure.data[-1].marker.colorbar.tickformat = ".0%"
    bare = [row for row in rows if row not in set(outlined)]
    if bare:
        sizes = 8 + 20 * np.sqrt(probabilities[bare])
        labels = [_label(classes, row, probabilities) for row in bare]
        centres = classes.partition.centres[bare]
        add_points(figure, centres, labels, "areas without an outline", BLUE, sizes)


def shaded(probabilities: Floats) -> list[int]:
    """The classes worth drawing: the most probable one, and those that can be seen."""
    order = np.argsort(-probabilities, kind="stable")[:SHADED]
    return [int(row) for i, row in enumerate(order) if i == 0 or probabilities[row] >= SMALLEST]


def _draw_shells(figure: go.Figure, classes: Classes, probabilities: Floats) -> None:
    """Nested areas of a spread, the smallest the darkest."""
    order = np.argsort(-probabilities, kind="stable")
    held = np.cumsum(probabilities[order])
    shapes, values, labels, middles = [], [], [], []
    start = 0
    for share in SHELLS:
        end = int(np.searchsorted(held, share)) + 1
        rows = order[start:end]
        if len(rows) == 0:
            continue
        shapes.append(shapely.union_all(classes.outlines.iloc[rows].to_numpy()))
        km2 = classes.km2[rows]
        values.append(float(probabilities[rows].sum() / km2.sum() * 1e6))
        labels.append(f"with what is darker, this holds {100 * share:.0f} %")
        middles.append(classes.partition.centres[rows[0]])
        start = end
    add_areas(figure, shapes, values, labels, "probability<br>a million km²", np.stack(middles))


def _label(classes: Classes, row: int, probabilities: Floats) -> str:
    return f"{classes.names[row]}: {100 * probabilities[row]:.1f} %"


def _zoom(figure: go.Figure, answers: Answers, row: int) -> None:
    """Show the answer's part of the world, where that is a part."""
    points = []
    if answers.classes is not None:
        classes = Classes(answers.classes)
        guesses = answers[row].area
        codes = [guess.code for guess in guesses.classes] if guesses else []
        for number in answers.classes.index_of(codes):
            points.append(classes.partition.centres[int(number)])
    pin = answers[row].pin
    if pin is not None:
        points.append(np.array([pin.lat, pin.lon]))
    if not points:
        return
    array = np.stack(points)
    if np.ptp(array[:, 1]) < LARGE_SPAN_DEG:
        focus(figure, _widened(array), margin_deg=18.0)


def _widened(points: Floats) -> Floats:
    """Points with a margin in longitude: a map is about twice as wide as it is high."""
    lon = np.clip([points[:, 1].min() - WIDER_DEG, points[:, 1].max() + WIDER_DEG], -180, 180)
    return np.vstack([points, [[points[0, 0], lon[0]], [points[0, 0], lon[1]]]])


def _choose(
    figure: go.Figure, answers: Sequence[Answer], base: int, spans: Sequence[tuple[int, int]]
) -> None:
    """A menu that shows one answer at a time, and its sentence above the map."""
    for number in range(base, len(figure.data)):
        figure.data[number].visible = spans[0][0] <= number < spans[0][1]
    buttons = []
    for answer, (start, end) in zip(answers, spans, strict=False):
        visible = [i < base or start <= i < end for i in range(len(figure.data))]
        sentence = _sentence(answer)
        changes = [{"visible": visible}, {"annotations[0].text": sentence}]
        buttons.append({"label": html.escape(answer.name), "method": "update", "args": changes})
    notes = list(figure.layout.annotations)
    said = {"text": _sentence(answers[0]), "x": 0.01, "y": 1.0, "xref": "paper", "yref": "paper"}
    said |= {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "align": "left"}
    figure.layout.annotations = [said, *notes]
    if len(buttons) > 1:
        menu = {"buttons": buttons, "x": 0.99, "y": 1.02, "xanchor": "right", "yanchor": "bottom"}
        figure.update_layout(updatemenus=[menu])


def _sentence(answer: Answer) -> str:
    words, lines = html.escape(answer.text()).split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 90:
            lines.append("")
        lines[-1] += f"{word} "
    return "<br>".join(line.strip() for line in lines)


def _note(answers: Answers) -> str:
    model = answers.model
    parts = [f"{model['task']} model, {model['backbone']}", answers.cautions[0]]
    if len(answers) > MOST_ANSWERS:
        parts.insert(0, f"the first {MOST_ANSWERS} of {len(answers)} answers")
    return " · ".join(parts)
