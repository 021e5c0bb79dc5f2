"""Serving the stand-in: in a thread, on 127.0.0.1, as long as a block lasts."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.collection.geoguessr_site import Site
from shared.collection.stand_in.games import StandIn
from shared.collection.stand_in.server import make_app
from shared.loopback import HOST, served


@contextmanager
def stand_in_served(stand_in: StandIn) -> Iterator[Site]:
    """Serve the stand-in on a free port of loopback; where it is."""
    with served(make_app(stand_in)) as port:
        yield Site.at(f"http://{HOST}:{port}")
