"""The page where a photo is dropped: countries, areas on a map, what looks alike, what mattered.

It is served on 127.0.0.1 alone (`shared.local_app`). A photo is read once; of its metadata the
orientation alone is looked at. What was uploaded is deleted before the answer is shown: the page
then holds a copy made of pixels.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from shared.data_loader import DataListError, dataset_settings
from shared.evaluation.looking import Eye, occlusion, overlay
from shared.predict.answers import Answers
from shared.predict.map_page import answer_map
from shared.predict.neighbours import Neighbours
from shared.predict.photos import photo_bytes
from shared.predict.predictor import Predictor
from shared.processing.decode import ImageRefusedError, decode, read_header, turn_upright
from shared.training.images import Bytes

CSS = """
#photo { min-height: 280px }
#answer { font-size: 1.15em }
#notes { opacity: 0.8 }
"""
SHOWN_WIDTH = 960  # pixels of the copy that the page keeps
N_COUNTRIES, N_NEIGHBOURS = 5, 6
WELCOME = """\
# Where was it taken?

Drop a photo here, paste it (Ctrl-V), or a screenshot of a round of a game.
It stays on this machine: where it was taken is guessed from its pixels alone,
and any position stored in it is not read.
"""
NOTHING = "Drop a photo to begin."


def build(predictor: Predictor, neighbours: Neighbours | None, why_none: str = "") -> Any:  # noqa: ANN401
    """The page.

    Args:
        predictor: the model.
        neighbours: its training photos, where they may be shown.
        why_none: what is said when they are not.
    """
    with gr.Blocks(title="Where was it taken?", analytics_enabled=False) as page:
        gr.Markdown(f"{WELCOME}\n{describe(predictor)}")
        held = gr.State(None)
        with gr.Row():
            with gr.Column(scale=2):
                photo = gr.Image(
                    label="Photo or screenshot",
                    type="filepath",
                    image_mode=None,
                    sources=["upload", "clipboard"],
                    format="png",
                    buttons=[],
                    elem_id="photo",
                )
                pin = gr.Checkbox(
                    label="Also an exact point (it looks surer than it is)", elem_id="pin"
                )
                countries = gr.Label(
                    label="The five most probable countries",
                    num_top_classes=N_COUNTRIES,
                    visible=False,
                    elem_id="countries",
                )
            with gr.Column(scale=3):
                answer = gr.Markdown(NOTHING, elem_id="answer")
                area = gr.Plot(show_label=False, visible=False, elem_id="map")
        with gr.Row():
            mattered = gr.Image(
                label="What spoke for this answer (bright): what it loses when it is covered",
                interactive=False,
                format="jpeg",
                buttons=[],
                visible=False,
                elem_id="mattered",
            )
            alike = gr.Gallery(
                label="Training photos that look most alike to the model",
                columns=3,
                height=330,
                object_fit="contain",
                format="jpeg",
                visible=False,
                buttons=[],
                elem_id="alike",
            )
        notes = gr.Markdown(elem_id="notes")
        outputs = [countries, answer, area, mattered, alike, notes]
        photo.upload(
            _look(predictor, neighbours, why_none),
            [photo, pin],
            [photo, held, *outputs],
            api_visibility="private",
        )
        pin.input(_again(predictor), [held, pin], [answer, area, notes], api_visibility="private")
        photo.clear(_cleared, [], [held, *outputs], api_visibility="private")
    return page


def _look(
    predictor: Predictor, neighbours: Neighbours | None, why_none: str
) -> Callable[[str, bool], list[Any]]:
    def look(path: str | None, pin: bool) -> list[Any]:
        if path is None:
            return [None, *_cleared()]
        try:
            data = photo_bytes(Path(path), predictor.resize.max_megapixels)
            image = predictor.pixels(data)
            copy = clean_copy(data)
        except ImageRefusedError as error:
            return [None, *_refused(error)]
        finally:
            forget(path)
        found = predictor.predict_inputs(image[None], top=N_COUNTRIES, pin=pin)
        country = found[0].countries[0].code
        marked = overlay(image, occlusion(Eye.of(predictor.checkpoint), image, country))
        said, shown, notes = _shown(found, why_none)
        return [
            copy,
            (image, why_none),  # the model's input, and nothing larger
            gr.update(value=_bars(found), visible=predictor.has_spread),
            said,
            shown,
            gr.update(value=marked, visible=True),
            gr.update(value=_gallery(neighbours, image), visible=neighbours is not None),
            notes,
        ]

    return look


def _again(predictor: Predictor) -> Callable[[tuple[Bytes, str] | None, bool], list[Any]]:
    """The same photo with, or without, an exact point."""

    def again(held: tuple[Bytes, str] | None, pin: bool) -> list[Any]:
        if held is None:
            return [gr.skip(), gr.skip(), gr.skip()]
        image, why_none = held
        found = predictor.predict_inputs(image[None], pin=pin)
        return list(_shown(found, why_none))

    return again


def _shown(found: Answers, why_none: str) -> tuple[str, Any, str]:
    plot = gr.update(value=answer_map(found), visible=True)
    notes = [*found.cautions, *([why_none] if why_none else [])]
    return f"**{found[0].text()}**", plot, "\n".join(f"* {note}" for note in notes)


def _bars(found: Answers) -> dict[str, float]:
    return {guess.name: round(guess.probability, 4) for guess in found[0].countries}


def _gallery(neighbours: Neighbours | None, image: Bytes) -> list[tuple[str, str]]:
    if neighbours is None:
        return []
    nearest = neighbours.nearest(image, N_NEIGHBOURS)
    return [(str(one.path), one.country) for one in nearest]


def _refused(error: ImageRefusedError) -> list[Any]:
    hidden = gr.update(visible=False)
    text = f"This photo is not used. **{str(error.reason).capitalize()}**: {error.detail}."
    return [None, hidden, text, hidden, hidden, hidden, ""]


def _cleared() -> list[Any]:
    hidden = gr.update(visible=False)
    return [None, hidden, NOTHING, hidden, hidden, hidden, ""]


def clean_copy(data: bytes) -> Bytes:
    """A photo for the page: its pixels, upright and no larger than needed, and nothing else.

    Args:
        data: the bytes of its file.

    Returns:
        (H, W, 3) bytes, RGB.
    """
    header = read_header(data)
    image: Bytes = turn_upright(decode(data, header), header.orientation)[..., ::-1]
    if image.shape[1] > SHOWN_WIDTH:
        size = SHOWN_WIDTH, max(1, round(SHOWN_WIDTH * image.shape[0] / image.shape[1]))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(image, dtype=np.uint8)


def forget(path: str) -> None:
    """Delete an uploaded file, and the folder that gradio made for it."""
    file = Path(path)
    file.unlink(missing_ok=True)
    if file.parent.is_dir() and not any(file.parent.iterdir()):
        file.parent.rmdir()


def describe(predictor: Predictor) -> str:
    """A sentence on the model, for the head of the page."""
    facts = predictor.facts
    dataset = facts["trained_on"]
    kind = f"*{facts['task']}* model ({facts['backbone']})"
    if facts["countries"]:
        kind += f" of {facts['countries']} countries"
    if not dataset:
        return f"A {kind}."
    try:
        settings = dataset_settings(dataset)
    except (FileNotFoundError, DataListError):
        return f"A {kind}, trained on {dataset}."
    painted = " Its photos are **painted**: it knows nothing of real ones."
    return f"A {kind}, trained on {settings.title}.{painted if settings.synthetic else ''}"
