"""The stand-in as a program: prints its address, and serves until its input ends.

python -m shared.collection.stand_in [<places>]
"""

import sys

from shared.collection.stand_in.games import StandIn
from shared.collection.stand_in.serving import stand_in_served
from shared.collection.stand_in.world import N_PICTURES, PaintedWorld


def main() -> None:
    """Serve until the input ends."""
    world = PaintedWorld(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    for number in range(N_PICTURES):
        world.picture(number)  # painted before anybody waits for it
    with stand_in_served(StandIn(world)) as site:
        print(site.base, flush=True)  # noqa: T201 - read by whoever started it
        sys.stdin.read()


if __name__ == "__main__":
    main()
