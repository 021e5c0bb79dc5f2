"""The page of the game: a photo, up to five countries, the answer on a map, the running score.

It is served on 127.0.0.1 alone (`shared.local_app`). Photos reach the page without their names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from shared.countries import UnknownCountryError, name_of, spellings
from shared.evaluation.human_game import Game, GamePhoto, Outcome, begin, kindly
from shared.evaluation.human_sessions import EXPERIENCES, MOST_ANSWERS
from shared.partitions import countries_partition, world_outlines
from shared.training.images import Preprocessing
from shared.web_map import GREEN, ORANGE, add_areas, add_points, focus, world_map

CSS = """
#photo img { width: 100% !important; height: auto !important }
#photo { min-height: 300px }
#said { font-size: 1.1em }
#score { opacity: 0.85 }
"""
WELCOME = """\
# Where was this photo taken?

You are shown photos of the test, one at a time, **at the size that the models see**.
Name up to five countries, the most likely first.
What you answer is kept on this machine, under the name that you choose here,
and compared with models on the same photos.
"""
FINISHED = "You have seen all the photos there are. Thank you!"
WIDER_DEG, LARGE_SPAN_DEG = 25.0, 100.0  # of longitude, where a part of the world is shown


@dataclass(frozen=True)
class Setting:
    """What the game is played with.

    Attributes:
        photos: of `human_game.choose_photos`.
        folder: where the players' files lie.
        preprocessing: the size of the models' inputs.
        facts: more for each session: `dataset`, `list_digest`.
        note: what is said of the photos, such as that they are synthetic.
    """

    photos: list[GamePhoto]
    folder: Path
    preprocessing: Preprocessing
    facts: dict[str, Any]
    note: str = ""


def build(setting: Setting) -> Any:  # noqa: ANN401 - gradio has no types for its Blocks
    """The page of the game."""
    with gr.Blocks(title="Where was this photo taken?", analytics_enabled=False) as page:
        game = gr.State(None)
        with gr.Column(visible=True) as door:
            gr.Markdown(f"{WELCOME}\n{setting.note}")
            who = gr.Textbox(label="Your name, or any other", max_length=40, autofocus=True)
            experience = gr.Radio(list(EXPERIENCES), label="Your experience", value=EXPERIENCES[0])
            enter = gr.Button("Start, or go on where you stopped", variant="primary")
            refusal = gr.Markdown()
        with gr.Column(visible=False) as room:
            with gr.Row():
                with gr.Column(scale=3):
                    photo = gr.Image(
                        show_label=False,
                        interactive=False,
                        format="png",
                        elem_id="photo",
                        buttons=[],
                        alt_text="The photo in question",
                    )
                    larger = gr.Checkbox(
                        label="Show it as large as it is stored (noted with your answer)"
                    )
                with gr.Column(scale=2):
                    typed = gr.Dropdown(
                        suggested_names(),
                        multiselect=True,
                        allow_custom_value=True,
                        max_choices=MOST_ANSWERS,
                        label="Up to five countries, the most likely first",
                        info="Arrow keys or the mouse take a suggestion, Enter what you typed",
                        elem_id="typed",
                    )
                    with gr.Row():
                        send = gr.Button("Answer", variant="primary", elem_id="send")
                        no_idea = gr.Button("I have no idea", elem_id="no-idea")
                    said = gr.Markdown(elem_id="said")
                    score = gr.Markdown(elem_id="score")
                    with gr.Row():
                        onward = gr.Button("Next photo", variant="primary", visible=False)
                        stop = gr.Button("Stop", elem_id="stop")
            answer_map = gr.Plot(show_label=False, visible=False, elem_id="answer-map")
        asking = [photo, larger, typed, send, no_idea, said, score, onward, answer_map]
        enter.click(
            _enter(setting),
            [who, experience],
            [game, door, room, refusal, *asking],
            api_visibility="private",
        )
        send.click(_send, [game, typed], [*asking], api_visibility="private")
        no_idea.click(_no_idea, [game], [*asking], api_visibility="private")
        onward.click(_next, [game], [*asking], api_visibility="private")
        larger.input(_resize, [game, larger], [photo], api_visibility="private")
        stop.click(_stop, [game], [game, door, room, refusal], api_visibility="private")
    return page


def suggested_names() -> list[tuple[str, str]]:
    """What is suggested while a player types, and what it stands for: every name that counts.

    The short English names come first; others say which country they are.
    """
    named = [(name, name_of(code)) for name, code in spellings().items()]
    return [(name if name == short else f"{name} ({short})", name) for name, short in named]


def _enter(setting: Setting) -> Callable[[str, str], list[Any]]:
    def enter(name: str, experience: str) -> list[Any]:
        try:
            game = begin(
                setting.photos,
                setting.folder,
                name,
                experience,
                setting.preprocessing,
                setting.facts,
            )
        except ValueError:
            stays = [gr.skip() for _ in range(9)]
            asked = "Please choose a name of 1 to 40 characters."
            return [None, gr.skip(), gr.skip(), asked, *stays]
        return [game, gr.update(visible=False), gr.update(visible=True), "", *_next(game)]

    return enter


def _next(game: Game) -> list[Any]:
    """Show the next photo, or that there is none."""
    found = game.next()
    is_open = found is not None
    picture = game.picture() if is_open else None
    shown = gr.update(visible=is_open)
    return [
        gr.update(value=picture, visible=is_open),
        gr.update(value=False, visible=is_open),
        gr.update(value=[], visible=is_open),
        shown,
        shown,
        "" if is_open else FINISHED,
        _score(game),
        gr.update(visible=False),
        gr.update(value=None, visible=False),
    ]


def _send(game: Game, typed: list[str] | None) -> list[Any]:
    """Take the answer, when its names are countries."""
    if not typed:
        return _asked_again("Type at least one country, or press “I have no idea”.")
    try:
        return _answered(game, game.answer(typed))
    except UnknownCountryError as error:
        return _asked_again(kindly(error))
    except ValueError as error:
        return _asked_again(str(error))


def _no_idea(game: Game) -> list[Any]:
    try:
        return _answered(game, game.answer([]))
    except ValueError as error:  # pressed twice
        return _asked_again(str(error))


def _asked_again(text: str) -> list[Any]:
    found: list[Any] = [gr.skip() for _ in range(9)]
    found[5] = text
    return found


def _answered(game: Game, outcome: Outcome) -> list[Any]:
    hidden = gr.update(visible=False)
    return [
        gr.skip(),
        hidden,
        hidden,
        hidden,
        hidden,
        _said(outcome),
        _score(game),
        gr.update(visible=True),
        gr.update(value=outcome_map(outcome), visible=True),
    ]


def _resize(game: Game, larger: bool) -> Any:  # noqa: ANN401 - one of gradio's updates
    if game.current is None:
        return gr.skip()
    return game.picture(larger)


def _stop(game: Game) -> list[Any]:
    """Back to the door; what was answered is on the disk already."""
    n_answers = game.score()[1][1]
    text = f"Stopped. {n_answers} answers are kept; the same name goes on from here."
    return [None, gr.update(visible=True), gr.update(visible=False), text]


def _said(outcome: Outcome) -> str:
    truth = name_of(outcome.photo.code)
    if outcome.rank == 0:
        return f"**Right: {truth}.**"
    if outcome.rank is not None:
        return f"**{truth}**: your number {outcome.rank + 1}."
    answers = ", ".join(name_of(code) for code in outcome.answers)
    return f"It is **{truth}**{f', not {answers}' if answers else ''}."


def _score(game: Game) -> str:
    scores = game.score()
    n_answers = scores[1][1]
    if n_answers == 0:
        return f"{len(game.photos):,} photos wait. Nothing answered yet."
    shares = ", ".join(
        f"top-{depth} {100 * right / n_answers:.0f} %" for depth, (right, _) in scores.items()
    )
    return f"{n_answers} of {len(game.photos):,} answered: {shares}"


def outcome_map(outcome: Outcome) -> go.Figure:
    """The true country, its place where that is known, and the guesses."""
    figure = world_map()
    photo = outcome.photo
    outlines = world_outlines().set_index("code").geometry
    codes = list(dict.fromkeys([photo.code, *outcome.answers]))
    centres = countries_partition(codes).centres
    if photo.code in outlines.index:
        label = [f"{name_of(photo.code)}: here it is"]
        add_areas(figure, [outlines[photo.code]], [1.0], label, "true")
        figure.data[-1].marker.showscale = False
    if photo.lat == photo.lat:  # not NaN
        add_points(figure, [[photo.lat, photo.lon]], ["the place"], "the place", GREEN, 11)
    for number, code in enumerate(outcome.answers, 1):
        row = codes.index(code)
        name = f"{number}. {name_of(code)}"
        add_points(figure, centres[[row]], [name], name, ORANGE, 16 - 2 * number, "diamond")
    lon = centres[:, 1]
    if lon.max() - lon.min() < LARGE_SPAN_DEG:
        ends = max(-180, lon.min() - WIDER_DEG), min(180, lon.max() + WIDER_DEG)
        sides = [[centres[0, 0], end] for end in ends]
        focus(figure, [*centres.tolist(), *sides], margin_deg=15.0)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, height=420)
    return figure
