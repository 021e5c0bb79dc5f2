"""The demo world: painted street scenes at real coordinates, written as pairs.

Made up, to show the pipeline without a download: no result on it is ever put beside a real one.
Each view depends on its id and the seed alone, to the byte, whatever else is painted, in which
order, and by how many processes. Degrees `(lat, lon)`.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_draws import Draws
from shared.collection.demo_faults import broken_json, encoded, faulty_image
from shared.collection.demo_light import make_light
from shared.collection.demo_paint import View, paint_view
from shared.collection.demo_place import Place, make_place
from shared.collection.demo_plan import DemoSettings, PlannedPlace, PlannedView, plan_views
from shared.collection.painted_log import PaintedLog
from shared.data_loader.files import digest_of, write_bytes
from shared.workers import side_by_side

__all__ = ["DemoReport", "DemoSettings", "paint_pair", "write_demo_world"]

LOG_NAME = ".painted.log"
CHUNK = 20  # views that a process paints at a time
SKEW_DEG = 14.0  # how far the first heading may be off the road


@dataclass(frozen=True)
class DemoReport:
    """What `write_demo_world` did.

    Attributes:
        views: everything that was planned.
        n_painted: views painted now.
        n_kept: views kept from an earlier run.
    """

    views: Sequence[PlannedView]
    n_painted: int
    n_kept: int

    @property
    def faults(self) -> Counter[str]:
        """How many views have each fault."""
        return Counter(view.fault for view in self.views if view.fault)


def paint_pair(view: PlannedView, settings: DemoSettings) -> dict[str, bytes]:
    """The files of a view by their suffix: an image, a record, or (a fault) one of them only."""
    place = _world(view.place, settings.seed)
    painted = _painted(view, settings)
    draws = Draws(settings.seed, f"spoil:{view.id}")
    image = faulty_image(painted.image, view.fault, draws)
    data = encoded(image, view.fault, (view.place.lat, view.place.lon), draws)
    record = _record(view, place, painted, settings.seed)
    text = json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n"
    if view.fault == "broken record":
        text = broken_json(text, draws)
    files = {".png" if view.fault == "odd format" else ".jpg": data, ".json": text.encode()}
    missing = {"no record": [".json"], "no image": [".jpg"]}.get(view.fault, [])
    return {suffix: content for suffix, content in files.items() if suffix not in missing}


def _world(planned: PlannedPlace, seed: int) -> Place:
    return make_place(seed, planned.world, planned.code, planned.lat, planned.lon)


def _heading(planned: PlannedPlace, place: Place, turn: int, seed: int) -> int:
    """Where the camera looks: along the road, or quarter turns from it, and a little off."""
    skew = Draws(seed, f"skew:{planned.world}").middling() * SKEW_DEG
    return int(place.road_deg + skew + 90 * turn + 360.5) % 360


def _painted(view: PlannedView, settings: DemoSettings) -> View:
    """The picture; a page that still shows an earlier place shows it as it was then."""
    shown, seed = view.shown, settings.seed
    place = _world(shown, seed)
    size = settings.width, settings.height
    if view.fault == "odd format":
        size = settings.height * 4 // 3, settings.height
    light = make_light(seed, shown.id, place.lat, place.climate.dryness)
    heading = _heading(shown, place, view.turn, seed)
    return paint_view(place, light, heading, seed, f"{shown.id}_{view.turn}", size)


def _record(view: PlannedView, place: Place, painted: View, seed: int) -> dict[str, Any]:
    if view.id.startswith("multiplayer"):
        written = COUNTRIES[view.place.code].written
        return {"country": written, "place": view.place.id, "synthetic": True}
    return {
        "coordinates": [view.place.lat, view.place.lon],
        "heading": _heading(view.place, place, view.turn, seed),
        "place": view.place.id,
        "synthetic": True,
        "month": place.month,
        "driving_side": "left" if place.rules.drives_left else "right",
        "warmth": round(place.climate.warmth, 3),
        "dryness": round(place.climate.dryness, 3),
        "size": list(painted.image.size),
        "cues": {kind: list(box) for kind, box in sorted(painted.cues.items())},
    }


def write_demo_world(
    folder: Path, settings: DemoSettings, *, n_processes: int | None = None
) -> DemoReport:
    """Paint every view of the demo world and write the pairs.

    Goes on where an earlier run stopped: files that the log says were painted with these settings,
    and that still have their bytes, are kept. Files of the demo world that the settings do not
    ask for are removed.

    Args:
        folder: where the pairs go, flat.
        settings: how large, and what is wrong in it.
        n_processes: how many processes; 0 or `None` for one a processor.
    """
    views = plan_views(settings)
    log = PaintedLog(folder, {"code": _code_digest(), **asdict(settings)})
    log.tidy(view.id for view in views)
    todo = [view for view in views if view.id not in log.painted]
    work = partial(_paint_chunk, folder=folder, settings=settings)
    chunks = [todo[k : k + CHUNK] for k in range(0, len(todo), CHUNK)]
    with tqdm(total=len(todo), desc="paint", unit="view", disable=not todo) as bar:
        for painted in side_by_side(work, chunks, n_processes):
            log.add(painted)
            bar.update(len(painted))
    return DemoReport(views, len(todo), len(views) - len(todo))


def _code_digest() -> str:
    """A digest of the code that paints: pictures of other code are painted again."""
    sources = sorted(Path(__file__).parent.glob("demo_*.py"))
    return digest_of(b"".join(path.read_bytes() for path in sources))


def _paint_chunk(
    views: Sequence[PlannedView], folder: Path, settings: DemoSettings
) -> dict[str, dict[str, str]]:
    """Paint and write some views; the digests of their files, by id and suffix."""
    painted: dict[str, dict[str, str]] = {}
    for view in views:
        files = paint_pair(view, settings)
        for suffix, data in files.items():
            write_bytes(folder / f"{view.id}{suffix}", data)
        painted[view.id] = {suffix: digest_of(data) for suffix, data in files.items()}
    return painted
