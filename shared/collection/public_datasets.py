"""Public data sets as pairs: the entry to the adapters of `shared.collection.public`.

Nothing is contacted, and nothing is written, before the terms are accepted: `explained` says what
an adapter needs, what its licence is, and what would happen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.collection.public import lost_and_found, mapillary, osv5m, street_views
from shared.collection.public.account import Account, Skips, Source
from shared.collection.public.gathering import ACCOUNT_NAME, Adapter, Subset, collect_pairs
from shared.collection.public.geoguessr_ai import GeoguessrAI
from shared.collection.public.lost_and_found import LostAndFound
from shared.collection.public.mapillary import Mapillary
from shared.collection.public.osv5m import Osv5m
from shared.collection.public.own_photos import OwnPhotos
from shared.collection.public.street_views import StreetViews
from shared.data_loader.errors import DataListError

__all__ = [
    "ACCOUNT_NAME",
    "ADAPTERS",
    "TERMS_NAME",
    "Account",
    "Request",
    "Skips",
    "Source",
    "Subset",
    "adapter_of",
    "check_adapter",
    "collect_pairs",
    "explained",
]

TERMS_NAME = "TERMS.md"  # what `explained` says, kept beside the pairs


@dataclass(frozen=True)
class Request:
    """What an adapter is told; each uses what concerns it.

    Attributes:
        dataset: whose pairs they will be.
        address: a folder, a mirror or another place; "" for the pinned public one.
        revision: of OSV-5M, 40 hex digits.
        splits: of OSV-5M.
        shards: of OSV-5M, by number; none: all.
        parts: of Lost & Found.
        table: of own photos, CSV or Parquet.
        licence: of own photos and of GeoGuessrAI's files.
        box: of Mapillary, west, south, east, north, degrees.
        panoramas: whether Mapillary's photos of 360 degrees are taken too.
        max_requests: to Mapillary's API.
        per_minute: requests a minute to Mapillary's API.
    """

    dataset: str
    address: str = ""
    revision: str = ""
    splits: Sequence[str] = osv5m.SPLITS
    shards: Sequence[int] = ()
    parts: Sequence[str] = lost_and_found.PARTS
    table: str = ""
    licence: str = ""
    box: Sequence[float] = ()
    panoramas: bool = False
    max_requests: int = 200
    per_minute: float = 60.0


# What each adapter needs, its licence, and what it contacts.
ADAPTERS: Mapping[str, str] = {
    "osv5m": (
        "OpenStreetView-5M, from the Hugging Face hub at a pinned commit. Licence "
        f"{osv5m.LICENCE}. Needs: revision (40 hex digits; the commits are listed at "
        "https://huggingface.co/datasets/osv5m/osv5m/commits/main), or address, a local copy. "
        "Contacts huggingface.co; the tables are 2.9 GB (train) and 0.1 GB (test), a photo about "
        "50 kB. Set limit, and splits or shards."
    ),
    "lost-and-found": (
        f"Lost & Found's own data, {lost_and_found.SOURCE.address}. Licence: "
        f"{lost_and_found.SOURCE.licence}. Needs: address, the unpacked folder or the zip that you "
        "downloaded from there. Contacts nothing."
    ),
    "street-views": (
        f"1,602 Street View photos, {street_views.SOURCE.address}. Licence: "
        f"{street_views.SOURCE.licence}. Contacts raw.githubusercontent.com, or reads address, a "
        "copy of its folder dataset_final_v1."
    ),
    "mapillary": (
        f"Photos of Mapillary's contributors in a box. Licence {mapillary.LICENCE}. Needs: box "
        f"[west, south, east, north], and {mapillary.TOKEN_VARIABLE} in the environment or .env. "
        "Contacts graph.mapillary.com, slowly, at most max_requests times, and the servers of the "
        "pictures. Free of charge."
    ),
    "geoguessr-ai": (
        "Files that are named as GeoGuessrAI's are (cell, place, view and month in the name). "
        "Licence: what you say. Needs: address, their folder. Contacts nothing."
    ),
    "own-photos": (
        "Photos of your own. Needs: address, their folder; and table, a CSV or Parquet file with "
        "path, and lat, lon or country, unless the positions are in EXIF. Contacts nothing."
    ),
}


def adapter_of(name: str, request: Request) -> Adapter:
    """An adapter by its name, ready to list what there is; nothing is contacted yet.

    Raises:
        DataListError: there is no such adapter, or it lacks what it needs.
    """
    check_adapter(name)
    if name == "osv5m":
        return Osv5m(
            request.revision,
            address=request.address,
            splits=request.splits,
            shards=request.shards,
        )
    if name == "street-views":
        return StreetViews(request.dataset, request.address)
    if name == "mapillary":
        return Mapillary(
            request.box,
            panoramas=request.panoramas,
            max_requests=request.max_requests,
            per_minute=request.per_minute,
            address=request.address,
        )
    if not request.address:
        msg = f"address: expected the folder that {name!r} is read from, got nothing"
        raise DataListError(msg)
    if name == "lost-and-found":
        return LostAndFound(request.address, request.parts)
    if name == "geoguessr-ai":
        return GeoguessrAI(request.address, request.licence)
    return OwnPhotos(request.address, request.table, request.licence)


def explained(name: str) -> str:
    """What an adapter is, what it asks of you, and what it would contact.

    Raises:
        DataListError: there is no such adapter.
    """
    check_adapter(name)
    return f"{name}: {ADAPTERS[name]}"


def check_adapter(name: str) -> None:
    """Refuse a name that is no adapter's."""
    if name not in ADAPTERS:
        msg = f"adapter: expected one of {', '.join(ADAPTERS)}, got {name!r}"
        raise DataListError(msg)
