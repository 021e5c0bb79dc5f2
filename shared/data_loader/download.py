"""Fetching what is missing from a store's remote."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import aiohttp

from shared.data_loader.errors import DownloadError, first_few
from shared.data_loader.files import digest_of, write_bytes
from shared.data_loader.lists import DataList
from shared.data_loader.stores import Store


def fetch_listed(store: Store, pinned: DataList) -> None:
    """Fetch the files of a list that are not there; each is checked before it gets its name."""
    if store.remote is None:
        return
    n = len(pinned)
    places = [store.image_path(i, pinned.suffix_of(i)) for i in pinned.ids] + [
        store.record_path(i) for i in pinned.ids
    ]
    expected = (
        [*pinned.image_digests, *pinned.record_digests] if pinned.is_pinned else [""] * (2 * n)
    )
    missing = [(p, d) for p, d in zip(places, expected, strict=True) if not Path(p).is_file()]
    if missing:
        asyncio.run(_fetch(store.remote, missing))


def fetch_all(store: Store, wants: Callable[[str], bool]) -> None:
    """Fetch every whole pair of the remote's index that is wanted."""
    if store.remote is not None:
        msg = f"no list, and no index is read yet ({wants})"
        raise DownloadError(msg)


async def _fetch(remote: str, missing: Sequence[tuple[str, str]]) -> None:
    faults: list[str] = []
    limit = asyncio.Semaphore(32)
    async with aiohttp.ClientSession(raise_for_status=True) as session:

        async def one(place: str, digest: str) -> None:
            path = Path(place)
            try:
                async with limit, session.get(f"{remote.rstrip('/')}/{quote(path.name)}") as answer:
                    data = await answer.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                faults.append(f"{path.name}: {type(error).__name__}")
                return
            if digest and digest_of(data) != digest:
                faults.append(f"{path.name}: expected {digest}, got {digest_of(data)}")
                return
            write_bytes(path, data)

        await asyncio.gather(*(one(place, digest) for place, digest in missing))
    if faults:
        msg = f"{len(faults):,} files could not be fetched:\n{first_few(sorted(faults))}"
        raise DownloadError(msg)
