"""The stand-in as a program: prints its address, and serves until its input ends.

python -m tests.collection.geoguessr_site [<places>]
"""

import sys

from tests.collection.geoguessr_site.running import served
from tests.collection.geoguessr_site.server import StandIn
from tests.collection.geoguessr_site.world import N_PICTURES, World


def main() -> None:
    """Serve until the input ends."""
    world = World(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    for number in range(N_PICTURES):
        world.picture(number)  # painted before anybody waits for it
    with served(StandIn(world)) as site:
        print(site.base, flush=True)  # noqa: T201 - read by whoever started it
        sys.stdin.read()


if __name__ == "__main__":
    main()
