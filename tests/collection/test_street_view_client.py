"""The client: every status, signatures, the rate, and a key that is shown nowhere."""

import asyncio
import logging
import shutil
import subprocess
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from shared.collection.street_view_client import Fault, StreetViewClient, StreetViewError
from shared.collection.street_view_rate import Crew, NothingComesError, Rate
from shared.collection.street_view_service import (
    Camera,
    Panorama,
    Secret,
    Service,
    key_from_environment,
    secret_from_environment,
    signature,
)
from tests.collection.street_view_api import KEY, StandIn, nearest

# Google's own example (Digital Signature Guide): a secret, an address and its signature.
SECRET = "vNIXE0xscrmjlyV-12Nj_BvUPaw="
EXAMPLE = "/maps/api/geocode/json?address=New+York&client=clientID"
SIGNED = "chaRF2hTJKOScPr-RQCEhZbSzIE="
HERE = (51.5, -0.1)

T = TypeVar("T")


def service(api: StandIn, **settings: object) -> Service:
    quick: dict[str, object] = {
        "url": api.url,
        "requests_per_s": 1000.0,
        "backoff_s": 0.001,
        "timeout_s": 2.0,
    }
    return Service(Secret(KEY), **{**quick, **settings})  # type: ignore[arg-type]


def ask(who: Service, attempt: Callable[[StreetViewClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with StreetViewClient(who) as client:
            return await client.retried(lambda: attempt(client), Crew(1, 1.0))

    return asyncio.run(run())


def metadata(who: Service, radius_m: float = 5000) -> Panorama | str:
    return ask(who, lambda client: client.metadata(*HERE, radius_m))


def test_metadata_is_what_the_service_knows() -> None:
    with StandIn() as api:
        found = metadata(service(api))
    expected = nearest(*HERE, 5000, 0.7, "outdoor")
    assert expected is not None
    assert found == Panorama(
        expected["pano_id"],
        expected["location"]["lat"],
        expected["location"]["lng"],
        expected["date"],
        "© Stand-In",
    )
    assert api.metadata_asked == [
        {"location": "51.50000,-0.10000", "radius": "5000", "source": "outdoor"}
    ]


@pytest.mark.parametrize("status", ["ZERO_RESULTS", "NOT_FOUND"])
def test_nothing_there_is_an_answer_and_not_asked_again(status: str) -> None:
    with StandIn() as api:
        api.next = [status]
        assert metadata(service(api)) == status
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    "fault", ["OVER_QUERY_LIMIT", "UNKNOWN_ERROR", "HTTP 503", "cut off", "garbage", "slow"]
)
def test_what_may_pass_is_tried_again(fault: str) -> None:
    with StandIn(slow_s=1.0) as api:
        api.next = [fault, fault]
        assert isinstance(metadata(service(api, timeout_s=0.3)), Panorama)
    assert len(api.asked) == 3


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("REQUEST_DENIED", "REQUEST_DENIED.*Is the key in LOST_AND_FOUND_STREET_VIEW_KEY good"),
        ("INVALID_REQUEST", "INVALID_REQUEST.*does not take the request as it is"),
    ],
)
def test_a_refusal_stops_at_once(status: str, message: str) -> None:
    for attempt in (
        lambda client: client.metadata(*HERE, 50),
        lambda client: client.photo("pano", 0, Camera()),
    ):
        with StandIn() as api:
            api.next = [status]
            with pytest.raises(StreetViewError, match=message):
                ask(service(api), attempt)
        assert len(api.asked) == 1


def test_a_used_up_quota_stops_after_some_tries() -> None:
    with (
        StandIn(faults={"OVER_QUERY_LIMIT": 1.0}) as api,
        pytest.raises(StreetViewError, match=r"quota is used up.*after 2 more tries"),
    ):
        metadata(service(api, retries=2))
    assert len(api.asked) == 3


def test_an_error_that_does_not_pass_fails_this_request_alone() -> None:
    with (
        StandIn(faults={"UNKNOWN_ERROR": 1.0}) as api,
        pytest.raises(Fault, match="UNKNOWN_ERROR"),
    ):
        metadata(service(api, retries=1))
    assert len(api.asked) == 2


def test_a_photo_is_a_jpeg_of_the_asked_panorama() -> None:
    with StandIn() as api:
        camera = Camera(600, 300, fov=100, pitch=-5)
        data = ask(service(api), lambda client: client.photo("pano_1_2", 90, camera))
    assert data[:2] == b"\xff\xd8"
    assert api.photos_asked == [
        {
            "size": "600x300",
            "pano": "pano_1_2",
            "heading": "90",
            "pitch": "-5",
            "fov": "100",
            "return_error_code": "true",
        }
    ]
    assert api.charged == {("pano_1_2", "90"): 1}


def test_the_signature_is_googles() -> None:
    assert signature(EXAMPLE, Secret(SECRET)) == SIGNED


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_signature_is_openssls() -> None:
    path = "/maps/api/streetview?size=640x640&pano=abc&key=K"
    standard = SECRET.replace("-", "+").replace("_", "/").encode()
    decoded = subprocess.run(["base64", "-d"], input=standard, capture_output=True, check=True)
    hexadecimal = decoded.stdout.hex()
    signed = subprocess.run(
        f"openssl dgst -sha1 -mac HMAC -macopt hexkey:{hexadecimal} -binary | base64",
        shell=True,
        input=path.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert signature(path, Secret(SECRET)) == signed.strip().replace("+", "-").replace("/", "_")


def test_signed_requests_are_taken_and_unsigned_ones_refused() -> None:
    with StandIn(secret=SECRET) as api:
        signed = service(api, secret=Secret(SECRET))
        assert isinstance(metadata(signed), Panorama)
        ask(signed, lambda client: client.photo("pano_1_2", 0, Camera(64, 64)))
        with pytest.raises(StreetViewError, match="REQUEST_DENIED"):
            metadata(service(api))


def test_a_secret_that_is_none_is_an_error_without_it() -> None:
    bad = "!".join(["not", "base64"])
    with pytest.raises(ValueError, match="URL-safe base64") as caught:
        Service(Secret("k"), Secret(bad))
    assert bad not in "".join(traceback.format_exception(caught.value))


def test_key_and_secret_come_from_the_environment_or_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(tmp_path))
    monkeypatch.delenv("LOST_AND_FOUND_STREET_VIEW_KEY", raising=False)
    monkeypatch.delenv("LOST_AND_FOUND_STREET_VIEW_SECRET", raising=False)
    assert key_from_environment() is None
    (tmp_path / ".env").write_text(f"LOST_AND_FOUND_STREET_VIEW_KEY={KEY}\n")
    monkeypatch.setenv("LOST_AND_FOUND_STREET_VIEW_SECRET", SECRET)
    key, secret = key_from_environment(), secret_from_environment()
    assert key is not None
    assert secret is not None
    assert (key.reveal(), secret.reveal()) == (KEY, SECRET)


@pytest.mark.parametrize("fault", ["REQUEST_DENIED", "slow", "no server", "garbage", "HTTP 503"])
def test_no_error_or_log_knows_the_key(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with StandIn(secret=SECRET, slow_s=0.5) as api:
        who = service(api, retries=1, timeout_s=0.2, secret=Secret(SECRET))
        api.next = [fault] * 2
        if fault == "no server":
            who = service(api, url="http://127.0.0.1:9/maps", retries=1, secret=Secret(SECRET))
        for attempt in (
            lambda client: client.metadata(*HERE, 50),
            lambda client: client.photo("pano", 0, Camera()),
        ):
            api.next = [fault] * 2
            with pytest.raises((StreetViewError, Fault)) as caught:
                ask(who, attempt)
            said = "".join(traceback.format_exception(caught.value)) + repr(who) + caplog.text
            for secret in (KEY, SECRET, KEY.replace("+", "%2B").replace("/", "%2F"), "signature="):
                assert secret not in said
            error: BaseException | None = caught.value
            while error is not None:  # nor an error behind the error, as aiohttp's would
                assert type(error) in (StreetViewError, Fault)
                error = error.__cause__ or error.__context__


def test_the_key_goes_to_https_or_to_this_machine_alone() -> None:
    with pytest.raises(ValueError, match="an https address"):
        Service(Secret(KEY), url="http://maps.example.org/streetview")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 641}, "a size of 16 to 640 pixels, but got 641 x 640"),
        ({"fov": 130}, "a field of view of 10 to 120"),
        ({"pitch": 91}, "a pitch of -90 to 90"),
    ],
)
def test_the_camera_is_held_to_what_the_service_gives(
    settings: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Camera(**settings)


def test_the_rate_is_kept_and_reached() -> None:
    async def turns() -> list[float]:
        rate, times = Rate(200), []

        async def one() -> None:
            for _ in range(10):
                await rate.turn()
                times.append(time.monotonic())

        await asyncio.gather(*(one() for _ in range(8)))
        return times

    times = sorted(asyncio.run(turns()))
    assert 79 / 200 <= times[-1] - times[0] + 0.005 < 0.6  # 80 turns


def test_after_a_query_limit_nobody_asks_for_a_while() -> None:
    async def wait() -> float:
        rate = Rate(1000)
        begin = time.monotonic()
        rate.pause(0.2)
        await asyncio.gather(*(rate.turn() for _ in range(5)))
        return time.monotonic() - begin

    assert asyncio.run(wait()) >= 0.19


def test_a_crew_stops_when_only_failures_come_and_finishes_what_it_began() -> None:
    begun, ended = [], []

    async def work(job: int) -> str | None:
        begun.append(job)
        await asyncio.sleep(0.01)
        ended.append(job)
        return "timeout"

    with pytest.raises(NothingComesError, match=r"8 requests failed one after the other.*timeout"):
        asyncio.run(Crew(2, 1.0).do(range(100), work))
    assert 8 <= len(begun) <= 10
    assert begun == ended


def test_an_interrupted_crew_finishes_what_it_began_and_begins_no_more() -> None:
    begun, ended = [], []

    async def work(job: int) -> str | None:
        begun.append(job)
        await asyncio.sleep(0.05)
        ended.append(job)
        return None

    async def interrupted() -> None:
        run = asyncio.create_task(Crew(3, 5.0).do(range(100), work))
        await asyncio.sleep(0.02)
        run.cancel()
        await run

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    assert begun == ended == [0, 1, 2]
