"""A multiplayer game, "Battle Royale: Countries": photo and country, for each of the rounds.

The program guesses nothing: it is soon out of the game, and watches to its end. The page is left
as it is: no style sheet is added, nothing is hidden.
"""

import re
from datetime import UTC, datetime

from shared.collection.geoguessr_faults import MissingError
from shared.collection.geoguessr_page import GamePage
from shared.collection.geoguessr_single import Table
from shared.collection.geoguessr_site import LEFT_OUT, Site, game_of
from shared.collection.geoguessr_store import pair_id
from shared.collection.geoguessr_view import take_as_it_is
from shared.countries import UnknownCountryError, code_of

BETWEEN = ("answer", "next_starts", "starting", "loading")  # shown while no round is played


async def start_multi(game_page: GamePage) -> str:
    """Join a game; its id."""
    await game_page.open(game_page.site.battle_lobby)
    await game_page.click("play")
    await game_page.wait_for("starting", "loading", "canvas")
    return game_of(game_page.page.url)


class MultiGame:
    """One game, of one worker."""

    def __init__(self, game: str, table: Table) -> None:
        self.game, self.table, self.store = game, table, table.store
        self.number = 0

    async def play(self, game_page: GamePage) -> None:
        """Watch the game to its end, from wherever it is.

        A photo whose round ended unseen is dropped: its country is not known.

        Raises:
            Trouble: something went wrong; call it again.
            StopRun: a limit was reached.
        """
        self._drop_waiting()
        await game_page.go_to(game_page.site.battle, self.game)
        while await self._is_going_on(game_page):
            self.table.limits.check()
            if await self._take_photo(game_page):
                await self._read_country(game_page)
                await self.table.pause()
        self.table.ledger.finish("multiplayer", self.game)

    async def _is_going_on(self, game_page: GamePage) -> bool:
        """Wait for a round that is played, and watch on; False at the end of the game."""
        while True:
            fields = ("over", "spectate", *BETWEEN, "canvas")
            found = await game_page.wait_for(*fields, timeout_s=self.table.answer_s)
            if found == "over":
                return False
            if found == "spectate":
                await game_page.click("spectate")
            elif found == "canvas":
                return True
            else:
                wait_s = self.table.answer_s
                await game_page.wait_for_change(found, "over", "spectate", timeout_s=wait_s)

    async def _take_photo(self, game_page: GamePage) -> bool:
        """Take the photo of the round; whether the round was still played then."""
        await game_page.park_mouse()
        photo = await take_as_it_is(game_page, self.table.patience)
        if await game_page.shows(*BETWEEN, "over"):
            return False
        self.number = await self._number(game_page)
        if not self.store.has(self._id()):
            self.store.keep_photo(self._id(), photo)
        return True

    async def _number(self, game_page: GamePage) -> int:
        """The number of the round, as shown, or counted where the page shows none."""
        shown = await game_page.round_shown()
        if shown is not None:
            return shown
        number = self.number + 1
        while self.store.has(pair_id("multiplayer", self.game, number)):
            number += 1
        return number

    async def _read_country(self, game_page: GamePage) -> None:
        await game_page.wait_for("answer", timeout_s=self.table.answer_s)
        texts = await game_page.texts_of("answer")
        told = (country_in(text, game_page.site) for text in texts)
        country = next((name for name in told if name), None)
        if country is None:
            raise MissingError(game_page.described(["answer"]))
        record = {
            "country": country,
            "source": "geoguessr multiplayer Battle Royale: Countries",
            "game": self.game,
            "round": self.number,
            "collected": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if self.store.save(self._id(), record):
            self.table.tally.saved(self._id())

    def _drop_waiting(self) -> None:
        if dropped := self.store.drop_waiting("multiplayer", self.game):
            self.table.tally.failures["answer not seen"] += dropped

    def _id(self) -> str:
        return pair_id("multiplayer", self.game, self.number)


def country_in(sentence: str, site: Site) -> str | None:
    """The country that a sentence tells, as the page writes it; nothing where it tells none.

    Names may hold dots ("St. Lucia"), and further sentences may follow: of the parts that end
    with a dot the longest that is a country's name counts, else the shortest.
    """
    found = site.answer.search(" ".join(sentence.split()))
    if found is None:
        return None
    text = found[1]
    fillers = re.compile(rf"(?:(?:{'|'.join(LEFT_OUT)})\s+)+", re.IGNORECASE)
    if starts := fillers.match(text):
        text = text[starts.end() :]
    ends = [m.start() for m in re.finditer(r"\.(?=\s|$)", text)]
    parts = [text[:end].strip() for end in ends if text[:end].strip()]
    return next(
        (part for part in reversed(parts) if _is_country(part)), parts[0] if parts else None
    )


def _is_country(name: str) -> bool:
    try:
        code_of(name)
    except UnknownCountryError:
        return False
    return True
