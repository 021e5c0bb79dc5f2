"""What may go wrong on the page, by kind, and the errors that end a run."""

from pathlib import Path

from shared.paths import shown


class GeoguessrError(RuntimeError):
    """A run that cannot go on; the message says what to do."""


class TermsError(GeoguessrError):
    """The site's terms were not acknowledged."""


class NotSinglePlayerError(GeoguessrError):
    """A program was about to play what people play against each other, or for a rating."""


class LoginError(GeoguessrError):
    """There are no credentials, or the site does not take them; they are never part of it."""


class PageChangedError(GeoguessrError):
    """Something that the scraper looks for is not on the page, however often it looks.

    Attributes:
        what: the field of `Site`, and the selector or text.
        screenshot: of the page as it was; `None` where none could be taken.
    """

    def __init__(self, what: str, url: str, tries: int, screenshot: Path | None) -> None:
        self.what, self.screenshot = what, screenshot
        seen = f"; the page is shown in {shown(screenshot)}" if screenshot else ""
        super().__init__(
            f"Expected {what} on {url}, but did not find it in {tries} tries{seen}. If the page "
            "has changed, correct the field of `Site` in shared/collection/geoguessr_site.py"
        )


class Trouble(Exception):
    """Something that waiting, loading again or another page may cure.

    Attributes:
        kind: by which failures are counted.
    """

    kind = "trouble"


class RateLimitedError(Trouble):
    """The site asks to wait."""

    kind = "rate limit"


class LoggedOutError(Trouble):
    """The page offers to log in."""

    kind = "logged out"


class PageGoneError(Trouble):
    """The page has crashed or was closed."""

    kind = "page crash"


class BrowserGoneError(Trouble):
    """The browser has ended."""

    kind = "browser crash"


class NetworkError(Trouble):
    """The page could not be loaded."""

    kind = "network"


class UnsettledError(Trouble):
    """The view kept changing, or stayed blank."""

    kind = "view did not settle"


class NoPlaceError(Trouble):
    """A marker did not tell a place."""

    kind = "no place"


class MissingError(Trouble):
    """Something is not on the page.

    Attributes:
        what: the field of `Site`, and the selector or text.
    """

    kind = "not found"

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)
