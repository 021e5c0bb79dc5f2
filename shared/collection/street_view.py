"""Taking street views: the bill, the photos, and what is saved of them.

Degrees, US dollars. A photo that is there is never paid for again; a request that may have been
charged is written down before it is sent (`street_view_ledger`). Pairs lie flat in one folder.
"""

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from shared.collection.street_view_client import Fault, StreetViewClient, StreetViewError
from shared.collection.street_view_ledger import (
    NONE_THERE,
    NOT_CHARGED,
    SAVED,
    Bill,
    BillError,
    Ledger,
)
from shared.collection.street_view_photos import Photo, record_of, without_metadata
from shared.collection.street_view_rate import Crew, NothingComesError
from shared.collection.street_view_service import Camera, Service
from shared.data_loader.download import run_blocking
from shared.data_loader.files import write_bytes, write_json
from shared.data_loader.places import locked

logger = logging.getLogger(__name__)

PRICE_USD = 0.007  # of a photo, 2020 to 2024


@dataclass(frozen=True)
class Limits:
    """What may be spent on a data set, in all runs together.

    Attributes:
        confirm_usd: the sum that is confirmed.
        max_requests: a hard cap on requests for photos, charged or not.
        price_usd: of a photo.
    """

    confirm_usd: float = 0.0
    max_requests: int = 1000
    price_usd: float = PRICE_USD

    def __post_init__(self) -> None:
        """Hold the settings to their ranges."""
        is_good = self.price_usd >= 0 and self.confirm_usd >= 0 and self.max_requests >= 0
        if not is_good or not math.isfinite(self.confirm_usd + self.price_usd):
            msg = f"Expected finite sums and a cap of at least 0, but got {self}"
            raise ValueError(msg)


@dataclass
class Taken:
    """What `take_photos` did.

    Attributes:
        ids: of all wanted pairs that are there now.
        n_new: photos that were taken now.
        missing: ids of photos that the service does not have.
        failed: photos that failed now, by kind; the next run tries them again.
        bill: what is left to pay, and what was spent.
    """

    ids: list[str]
    n_new: int
    missing: list[str]
    failed: Counter[str]
    bill: Bill


def bill_of(
    folder: Path, photos: Sequence[Photo], camera: Camera, price_usd: float = PRICE_USD
) -> Bill:
    """What the photos that are not there yet cost, and what was spent before."""
    with locked(f"street views {folder}"):
        return _bill(folder, _ledger(folder, camera), photos, price_usd)


def take_photos(
    folder: Path, photos: Sequence[Photo], service: Service, camera: Camera, limits: Limits
) -> Taken:
    """Take the photos that are not there yet, and save each with its record.

    Args:
        folder: where pairs lie, flat.
        photos: what is wanted.
        service: who is asked.
        camera: how photos are taken.
        limits: what may be spent.

    Raises:
        BillError: the bill is more than was confirmed or capped; what was taken is saved.
        StreetViewError: the service refuses, or nothing comes any more; what was taken is saved.
    """
    with locked(f"street views {folder}"):
        ledger = _ledger(folder, camera)
        left = _left(folder, ledger, photos)
        bill = _bill(folder, ledger, photos, limits.price_usd)
        if bill.n_uncertain:
            logger.warning(
                "%d requests of earlier runs were cut off and may have been charged; they count "
                "as spent, %.3f USD in all",
                bill.n_uncertain,
                bill.spent_usd,
            )
        if left:
            _check_bill(bill, ledger, limits)
        taker = _Taker(folder, ledger, camera, limits)
        run_blocking(taker.take(left, service))
        gone = ledger.missing()
        return Taken(
            ids=[photo.id for photo in photos if _is_there(folder, photo.id)],
            n_new=taker.n_new,
            missing=[photo.id for photo in photos if photo.id in gone],
            failed=taker.failed,
            bill=_bill(folder, ledger, photos, limits.price_usd),
        )


class _Taker:
    """Takes photos, and keeps the books."""

    def __init__(self, folder: Path, ledger: Ledger, camera: Camera, limits: Limits) -> None:
        self._folder, self._ledger, self._camera = folder, ledger, camera
        self._limits = limits
        self.n_new = 0
        self.failed: Counter[str] = Counter()

    async def take(self, photos: Sequence[Photo], service: Service) -> None:
        """Take photos; a failure is counted, and what stops the run ends it after those begun."""
        crew = Crew(min(service.concurrency, max(1, len(photos))), service.timeout_s)
        async with StreetViewClient(service) as client:
            with tqdm(total=len(photos), desc="take", unit="photo", disable=not photos) as bar:

                async def one(photo: Photo) -> str | None:
                    fault = await self._one(client, crew, photo)
                    bar.update()
                    return fault

                try:
                    await crew.do(photos, one)
                except NothingComesError as error:
                    raise StreetViewError(str(error)) from None

    async def _one(self, client: StreetViewClient, crew: Crew, photo: Photo) -> str | None:
        """Take one photo; the kind of the fault that it failed with."""
        try:
            await client.retried(lambda: self._attempt(client, photo), crew)
        except Fault as fault:
            if fault.is_missing:
                return None
            self.failed[fault.kind] += 1
            return fault.kind
        return None

    async def _attempt(self, client: StreetViewClient, photo: Photo) -> None:
        """One request that may be charged: written down before, and after."""
        limits = self._limits
        number = self._ledger.begin(
            photo.id, limits.price_usd, limits.max_requests, limits.confirm_usd
        )
        pano_id = photo.place.panorama.pano_id
        try:
            data = without_metadata(await client.photo(pano_id, photo.heading, self._camera))
        except Fault as fault:
            if fault.is_missing:
                self._ledger.end(number, NONE_THERE)
            elif fault.is_refused:
                self._ledger.end(number, NOT_CHARGED)
            raise
        # The record first: a pair is there when its image is.
        write_json(self._folder / f"{photo.id}.json", record_of(photo, self._camera))
        write_bytes(self._folder / f"{photo.id}.jpg", data)
        self._ledger.end(number, SAVED)
        self.n_new += 1


def _check_bill(bill: Bill, ledger: Ledger, limits: Limits) -> None:
    if not bill.is_confirmed(limits.confirm_usd):
        msg = (
            f"Expected confirm_usd of at least {bill.to_confirm_usd:.2f}, got "
            f"{limits.confirm_usd:g}; nothing was charged now. The bill:\n{bill}"
        )
        raise BillError(msg)
    needed = ledger.n_tries + bill.n_photos
    if needed > limits.max_requests:
        msg = (
            f"Expected max_requests of at least {needed:,} ({ledger.n_tries:,} were sent before; "
            f"tries again count too), got {limits.max_requests:,}; nothing was charged now"
        )
        raise BillError(msg)


def _ledger(folder: Path, camera: Camera) -> Ledger:
    """The ledger, with what was saved just before a kill counted as saved."""
    ledger = Ledger(folder, asdict(camera))
    ledger.settle(lambda photo: _is_there(folder, photo))
    return ledger


def _bill(folder: Path, ledger: Ledger, photos: Sequence[Photo], price_usd: float) -> Bill:
    left = _left(folder, ledger, photos)
    return Bill(len(left), price_usd, ledger.spent_usd, ledger.n_open)


def _left(folder: Path, ledger: Ledger, photos: Sequence[Photo]) -> list[Photo]:
    """The photos that are neither there nor known not to exist."""
    gone = ledger.missing()
    return [p for p in photos if p.id not in gone and not _is_there(folder, p.id)]


def _is_there(folder: Path, photo: str) -> bool:
    """Whether a photo's pair is whole: both files are written whole, the image last."""
    return all((folder / f"{photo}{suffix}").is_file() for suffix in (".jpg", ".json"))
