"""A collection as a program of its own, to be killed: `collect.py <address> <folder> <games>`."""

import sys
from pathlib import Path

from shared.collection.geoguessr import Site, collect_rounds
from tests.collection.geoguessr_site.helpers import quick


def main() -> None:
    """Collect with two workers."""
    address, folder, n_games = sys.argv[1:4]
    collect_rounds(
        Path(folder),
        quick(max_games=int(n_games), workers=2),
        accept_terms=True,
        site=Site.at(address),
        cookies=Path(folder).parent / "cookies.json",
    )


if __name__ == "__main__":
    main()
