"""Finding panoramas for areas by the metadata requests, which are free of charge.

Degrees, `(lat, lon)`. Which panoramas are used follows from the areas, the seed and the service's
answers, not from the order in which these arrive. Answers are remembered.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from shared.collection.street_view_client import (
    ANY_SOURCE,
    OUTDOOR,
    Fault,
    StreetViewClient,
    StreetViewError,
)
from shared.collection.street_view_ledger import Asked, Ledger
from shared.collection.street_view_places import Area, LatLon
from shared.collection.street_view_rate import Crew, NothingComesError
from shared.collection.street_view_service import Camera, Panorama, Service
from shared.data_loader.download import run_blocking
from shared.data_loader.places import locked

FOUND, TWICE, OUTSIDE, SPARE = "found", "seen before", "outside", "spare"
MOST_SPARE = 4  # a further round asks at most so many candidates for each place that lacks


@dataclass(frozen=True)
class Place:
    """A panorama that was found for an area: a place of the data set."""

    id: str
    area: Area
    asked: LatLon
    panorama: Panorama


@dataclass(frozen=True)
class Search:
    """How panoramas are looked for.

    Attributes:
        radius_m: how far from an asked place a panorama may be.
        outdoor: leave out what was taken indoors.
        tries_per_place: an area with n places wanted is asked for at most n times so many.
        seed: feeds every random draw.
        max_requests: a hard cap on metadata requests of a run.
    """

    radius_m: float = 500.0
    outdoor: bool = True
    tries_per_place: int = 10
    seed: int = 0
    max_requests: int = 100_000

    def __post_init__(self) -> None:
        """Hold the settings to their ranges."""
        if not self.radius_m > 0 or self.tries_per_place < 1 or self.max_requests < 1:
            msg = f"Expected a radius, tries and a cap above 0, but got {self}"
            raise ValueError(msg)


@dataclass
class Found:
    """What was found.

    Attributes:
        places: in the order of areas and candidates.
        asked: how often each area, by its code, met each outcome: found, seen before, outside, a
            status of the service, or spare: asked ahead, and not needed.
        missing: the asked places that gave nothing, (lat, lon).
        n_requests: requests that were sent now; the rest was remembered.
    """

    places: list[Place] = field(default_factory=list)
    asked: dict[str, Counter[str]] = field(default_factory=dict)
    missing: list[LatLon] = field(default_factory=list)
    n_requests: int = 0


def find_places(
    folder: Path, areas: Sequence[Area], service: Service, camera: Camera, search: Search
) -> Found:
    """Find panoramas for all areas; none is used twice, and none that lies outside of its area.

    Args:
        folder: where the pairs will lie; what was answered is remembered there.
        areas: where places are wanted, and how many.
        service: who is asked.
        camera: how photos will be taken.
        search: how to look.

    Raises:
        StreetViewError: the service refuses, the cap is reached, or requests failed however often
            they were sent. What was answered is remembered.
    """
    with locked(f"street views {folder}"):
        return run_blocking(_Finder(Ledger(folder, asdict(camera)), search).find(areas, service))


class _Finder:
    """Asks in rounds: in each, every area for the places that it still lacks.

    A round waits for its last answer. So that there are few, all but the first ask for more
    candidates than are lacking, by how many were in vain before; requests are free.
    """

    def __init__(self, ledger: Ledger, search: Search) -> None:
        self._ledger, self._search = ledger, search
        self._source = OUTDOOR if search.outdoor else ANY_SOURCE
        self._seen: set[str] = set()
        self._found = Found()

    async def find(self, areas: Sequence[Area], service: Service) -> Found:
        found = self._found
        found.asked = {area.code: Counter() for area in areas}
        places: dict[str, list[Place]] = {area.code: [] for area in areas}
        draws = {area.code: self._draws(area) for area in areas}
        total = sum(area.wanted for area in areas)
        async with StreetViewClient(service) as client:
            with tqdm(total=total, desc="find places", unit="place", disable=not total) as bar:
                while asked := self._round(areas, places, draws):
                    await self._ask(client, [point for _, point in asked])
                    # Judged in the order of areas and candidates, whichever answer came first.
                    for area, point in asked:
                        if len(places[area.code]) == area.wanted:
                            found.asked[area.code][SPARE] += 1
                            continue
                        place = self._judge(area, point)
                        if place is not None:
                            places[area.code].append(place)
                            bar.update()
        found.places = [place for area in areas for place in places[area.code]]
        return found

    def _draws(self, area: Area) -> Iterator[LatLon]:
        n_most = area.wanted * self._search.tries_per_place
        return islice(area.candidates(self._search.seed), n_most)

    def _round(
        self,
        areas: Sequence[Area],
        places: dict[str, list[Place]],
        draws: dict[str, Iterator[LatLon]],
    ) -> list[tuple[Area, LatLon]]:
        """The next candidates of every area that lacks places; none where it has no more."""
        asked = []
        for area in areas:
            n_found = len(places[area.code])
            n_asked = self._found.asked[area.code].total()
            lacking = area.wanted - n_found
            each = min(MOST_SPARE, n_asked / n_found if n_found else MOST_SPARE) if n_asked else 1
            asked += [(area, p) for p in islice(draws[area.code], math.ceil(lacking * each))]
        return asked

    def _key(self, point: LatLon) -> Asked:
        return point[0], point[1], float(self._search.radius_m), self._source

    def _judge(self, area: Area, point: LatLon) -> Place | None:
        """The place that an answer gives an area, if it does."""
        answer = self._ledger.answers[self._key(point)]
        outcome = self._outcome(answer, area)
        self._found.asked[area.code][outcome] += 1
        if isinstance(answer, str) or outcome != FOUND:
            self._found.missing.append(point)
            return None
        self._seen.add(answer.pano_id)
        name = f"{area.code}+{point[0]:.5f}_{point[1]:.5f}"
        return Place(name, area, point, answer)

    def _outcome(self, answer: Panorama | str, area: Area) -> str:
        if isinstance(answer, str):
            return answer
        if answer.pano_id in self._seen:
            return TWICE
        return FOUND if area.holds((answer.lat, answer.lon)) else OUTSIDE

    async def _ask(self, client: StreetViewClient, points: Sequence[LatLon]) -> None:
        """Have an answer to each of some places."""
        left = [p for p in dict.fromkeys(points) if self._key(p) not in self._ledger.answers]
        service = client.service
        crew = Crew(min(service.concurrency, max(1, len(left))), service.timeout_s)
        faults: Counter[str] = Counter()

        async def ask(point: LatLon) -> str | None:
            try:
                answer = await client.retried(lambda: self._once(client, point), crew)
            except Fault as fault:
                faults[fault.kind] += 1
                return fault.kind
            self._ledger.note_answer(self._key(point), answer)
            return None

        try:
            await crew.do(left, ask)
        except NothingComesError as error:
            raise StreetViewError(str(error)) from None
        if faults:
            # Going on would put other places where these are missing, and a later run back again.
            msg = (
                f"{faults.total():,} of {len(left):,} metadata requests failed, also after "
                f"{service.retries} more tries: {dict(faults)}. Run again: the others' answers are "
                "remembered"
            )
            raise StreetViewError(msg)

    async def _once(self, client: StreetViewClient, point: LatLon) -> Panorama | str:
        """One request, counted against the cap."""
        if self._found.n_requests >= self._search.max_requests:
            msg = (
                f"The cap of {self._search.max_requests:,} metadata requests is reached. What was "
                "answered is remembered; raise the cap, or run again"
            )
            raise StreetViewError(msg)
        self._found.n_requests += 1
        return await client.metadata(*point, self._search.radius_m, self._source)
