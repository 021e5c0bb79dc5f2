"""The browser extension in Chromium, on the stand-in's pages under the site's own address."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    BrowserContext,
    CDPSession,
    Page,
    Route,
    Worker,
    expect,
    sync_playwright,
)

from shared.collection.geoguessr_session import find_browser
from shared.collection.stand_in.games import StandIn
from shared.collection.stand_in.serving import stand_in_served
from shared.collection.stand_in.world import PaintedWorld
from shared.predict import Predictor, service
from tests.browsers import PATIENCE_MS, needs_browser
from tests.collection.geoguessr_site.photos import shown_number

pytestmark = [pytest.mark.browser, needs_browser, pytest.mark.slow]

EXTENSION = Path(__file__).parents[2] / "4-evaluation" / "extension"
INSIDE = f"chrome-extension://{service.EXTENSION_ID}"
SITE = "https://www.geoguessr.com"
ROUND = """<p>Round 1 / 5</p><canvas class="mapsConsumerUiSceneCoreScene__canvas"
  width="1280" height="720" style="background: #8a5"></canvas>"""
# Pages that look like a round, at addresses of games with others, and the other way round.
OF_OTHERS = {
    "/duels/AbCdEf0123456789": ROUND,
    "/team-duels/AbCdEf0123456789": ROUND,
    "/battle-royale/AbCdEf0123456789": ROUND,
    "/ranked/game/AbCdEf0123456789": ROUND,
    "/challenge/AbCdEf0123456789": ROUND,
    "/game/StartsSoon000000": f"{ROUND}<p>Game starting in 3</p>",
    "/game/Watched000000000": f"{ROUND}<button>Spectate</button>",
    "/game/WithoutNumber000": ROUND.replace("Round 1 / 5", "Streak 7"),
    "/game/WithoutView00000": "<p>Round 1 / 5</p>",
}
COUNT_CALLS = """() => {
  self.calls = [];
  for (const [part, name] of [["tabs", "captureVisibleTab"], ["scripting", "insertCSS"]]) {
    const real = chrome[part][name].bind(chrome[part]);
    chrome[part][name] = (...given) => { self.calls.push(name); return real(...given); };
  }
}"""


@dataclass
class Browser:
    """Chromium with the extension."""

    context: BrowserContext
    cdp: CDPSession
    page: Page
    worker: Worker

    def click_button(self) -> dict[str, Any]:
        """Click the extension's button on the page; what it shows in the end."""
        self.worker.evaluate("() => chrome.storage.session.clear()")
        tabs = self.cdp.send("Target.getTargets", {"filter": [{"type": "tab"}]})["targetInfos"]
        (tab,) = [tab["targetId"] for tab in tabs if tab["url"] == self.page.url]
        asked = {"id": service.EXTENSION_ID, "targetId": tab}
        self.cdp.send("Extensions.triggerAction", asked)
        return self._state()

    def _state(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < deadline:
            held = self.worker.evaluate("() => chrome.storage.session.get('state')")
            if held.get("state", {}).get("kind") not in (None, "asking"):
                found: dict[str, Any] = held["state"]
                return found
            time.sleep(0.1)
        msg = "the extension showed nothing"
        raise AssertionError(msg)

    def save_address(self, address: str) -> str:
        """Fill in the options; what they say."""
        options = self.context.new_page()
        options.goto(f"{INSIDE}/options.html")
        options.locator("#address").fill(address)
        options.get_by_role("button", name="Save").click()
        expect(options.locator("#said")).not_to_be_empty()
        said = options.locator("#said").inner_text()
        options.close()
        return said


@contextmanager
def chromium(folder: Path, inside: str) -> Iterator[Browser]:
    """A browser whose pages of the site come from the stand-in; nothing else can be reached."""
    arguments = [
        "--headless=new",  # the old one has no extensions
        "--enable-unsafe-extension-debugging",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--log-net-log={folder / 'net.json'}",
    ]

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        if path in OF_OTHERS:
            route.fulfill(body=OF_OTHERS[path], content_type="text/html")
        else:
            route.fulfill(response=route.fetch(url=inside + path))

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=find_browser(),
            headless=False,  # Playwright's own way would be the old one
            args=arguments,
            ignore_default_args=["--disable-extensions"],
            viewport={"width": 1280, "height": 720},
        )
        try:
            context.set_default_timeout(PATIENCE_MS)
            context.route(f"{SITE}/**", answer)
            context.add_cookies(
                [{"name": "cookies", "value": "yes", "url": url} for url in (SITE, inside)]
            )
            assert context.browser is not None
            cdp = context.browser.new_browser_cdp_session()
            loaded = cdp.send("Extensions.loadUnpacked", {"path": str(EXTENSION)})
            assert loaded["id"] == service.EXTENSION_ID
            workers = context.service_workers
            worker = workers[0] if workers else context.wait_for_event("serviceworker")
            yield Browser(context, cdp, context.pages[0], worker)
        finally:
            context.close()


def requests_of_the_extension(folder: Path) -> list[str]:
    """What the extension asked for, by the browser's own log of the network."""
    log = json.loads((folder / "net.json").read_text())
    kind = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    started = [e["params"] for e in log["events"] if e["type"] == kind and "params" in e]
    assert started
    return [params["url"] for params in started if params.get("initiator") == INSIDE]


@pytest.fixture
def photos(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The pictures that the service is given."""
    found: list[bytes] = []
    answered = service.answered

    def noted(predictor: Predictor, data: bytes) -> dict[str, Any]:
        found.append(data)
        return answered(predictor, data)

    monkeypatch.setattr(service, "answered", noted)
    return found


def test_a_singleplayer_round_is_answered_in_the_panel_and_no_other_page_is_looked_at(
    tiny_root: Path, tmp_path_factory: pytest.TempPathFactory, photos: list[bytes]
) -> None:
    assert tiny_root.is_dir()
    folder = tmp_path_factory.mktemp("browser")
    predictor = Predictor.load("tiny")
    stand_in = StandIn(PaintedWorld(10), needs_login=False)
    with (
        stand_in_served(stand_in) as site,
        service.opened(predictor) as address,
        chromium(folder, site.base) as browser,
    ):
        page = browser.page
        assert "Expected http://127.0.0.1" in browser.save_address("http://192.168.0.2:80/#abc")
        assert browser.save_address(address) == "Saved."
        browser.worker.evaluate(COUNT_CALLS)

        for path in OF_OTHERS:
            page.goto(SITE + path)
            state = browser.click_button()
            assert state["kind"] == "refused", path
            assert "multiplayer, rated or challenge" in state["text"]
        page.goto(f"{SITE}/multiplayer/battle-royale-countries")
        page.get_by_role("button", name="Play").click()
        page.locator("canvas").wait_for()
        assert "/battle-royale/" in page.url
        assert browser.click_button()["kind"] == "refused"
        assert browser.worker.evaluate("() => self.calls") == []
        assert photos == []

        begin_round(page)
        state = browser.click_button()
        assert state["kind"] == "answer", state
        assert browser.worker.evaluate("() => self.calls") == ["insertCSS", "captureVisibleTab"]
        (photo,) = photos
        (game,) = stand_in.games.values()
        assert shown_number(photo) == game.places[0]  # the view, and nothing else of the page
        expected = predictor.predict(photo)[0]
        assert [g["name"] for g in state["countries"]] == [g.name for g in expected.countries]
        check_panel(browser, expected.text(), folder)
    port = address.split("/#")[0]
    asked = requests_of_the_extension(folder)
    assert [url for url in asked if not url.startswith("chrome-extension:")] == [f"{port}/predict"]


def begin_round(page: Page) -> None:
    """Start a singleplayer game, and wait for its view."""
    page.goto(f"{SITE}/maps/world")
    page.get_by_role("button", name="Play").click()
    page.wait_for_url(f"{SITE}/game/*")
    page.locator("canvas").wait_for()
    page.get_by_text("Loading location").wait_for(state="hidden")
    page.wait_for_timeout(1500)  # the view's tiles


def check_panel(browser: Browser, sentence: str, folder: Path) -> None:
    """What the panel says and draws; it is opened beside the page, and here in a tab as well."""
    targets = browser.cdp.send("Target.getTargets")["targetInfos"]
    assert f"{INSIDE}/panel.html" in [target["url"] for target in targets]
    panel = browser.context.new_page()
    panel.set_viewport_size({"width": 380, "height": 720})
    panel.goto(f"{INSIDE}/panel.html")
    expect(panel.locator("#said")).to_have_text(sentence)
    expect(panel.locator(".policy")).to_contain_text("training aid for single-player rounds")
    expect(panel.locator("#cautions")).to_contain_text("not evidence of where")
    drawn = "() => document.getElementById('map').naturalWidth"
    panel.wait_for_function(drawn)
    assert panel.evaluate(drawn) > 200
    panel.screenshot(path=folder / "panel.png")


def test_without_a_service_the_panel_says_what_to_do(
    tmp_path: Path,
) -> None:
    stand_in = StandIn(PaintedWorld(10), needs_login=False)
    with stand_in_served(stand_in) as site, chromium(tmp_path, site.base) as browser:
        begin_round(browser.page)
        state = browser.click_button()
        assert state["kind"] == "error"
        assert "paste its address into the options" in state["text"]
        assert browser.save_address("http://127.0.0.1:9/#0123456789abcdef") == "Saved."
        browser.page.bring_to_front()
        assert "does not answer" in browser.click_button()["text"]
