"""The service for the extension: who is answered, and what is refused."""

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import requests
from PIL import Image

from shared.collection.geoguessr_site import GAME_ID, Site
from shared.paths import ROOT_VARIABLE
from shared.predict import Predictor, service
from shared.predict.__main__ import main
from tests.predict.conftest import encoded, make_checkpoint, make_photos, scene

EXTENSION = Path(__file__).parents[2] / "4-evaluation" / "extension"
TOKEN = "a-token-for-the-test"


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOT_VARIABLE, str(tmp_path_factory.mktemp("root")))
        make_photos("tiny")
        make_checkpoint("tiny")
        yield Predictor.load("tiny")


@pytest.fixture(scope="module")
def address(predictor: Predictor) -> Iterator[str]:
    with service.opened(predictor, token=TOKEN) as found:
        base, token = found.split("/#")
        assert token == TOKEN
        yield f"{base}/predict"


def asked(address: str, data: bytes, **headers: str) -> requests.Response:
    told = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "image/jpeg", **headers}
    return requests.post(address, data=data, headers=told, timeout=30)


def test_a_picture_is_answered_as_the_predictor_answers_it(
    predictor: Predictor, address: str
) -> None:
    photo = encoded(scene("FR", 1))
    answer = asked(address, photo, Origin=service.ORIGIN)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == service.ORIGIN
    expected = predictor.predict(photo)[0]
    told = answer.json()
    assert [g["code"] for g in told["countries"]] == [g.code for g in expected.countries]
    assert told["point"] is None
    assert told["sentence"] == expected.text()
    drawing = ElementTree.fromstring(told["map"])
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"<script|<image|href=\"(?!#)", told["map"])


def test_what_a_photo_says_of_its_place_is_not_read(predictor: Predictor, address: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    pixels = Image.fromarray(scene("JP", 2))
    files = []
    for more in ({}, {"exif": exif}):
        file = io.BytesIO()
        pixels.save(file, "JPEG", quality=95, **more)
        files.append(file.getvalue())
    assert files[0] != files[1]
    plain, tagged = (asked(address, data).json() for data in files)
    assert plain == tagged
    assert plain["sentence"] == predictor.predict(files[0])[0].text()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://www.geoguessr.com"},
        {"Origin": "null"},
        {"Origin": "chrome-extension://aaaabbbbccccddddeeeeffffgggghhhh"},
        {"Host": "rebound.example:80"},
    ],
)
def test_pages_and_other_extensions_are_refused(address: str, headers: dict[str, str]) -> None:
    answer = asked(address, encoded(scene("FR", 1)), **headers)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_wrong_token_or_none_is_refused(address: str) -> None:
    for told in ("Bearer wrong", "", TOKEN):
        assert asked(address, b"x", Authorization=told).status_code == 401


def test_only_the_extension_is_let_in_before_its_request(address: str) -> None:
    allowed = requests.options(address, headers={"Origin": service.ORIGIN}, timeout=30)
    assert allowed.status_code == 204
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    page = requests.options(address, headers={"Origin": "https://example.org"}, timeout=30)
    assert page.status_code == 403


def large_picture() -> bytes:
    """Few bytes, 25 megapixels."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((5000, 5000), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "kind", "status", "why"),
    [
        (b"", "image/jpeg", 422, "empty file"),
        (b"<html>", "image/png", 422, "not an image"),
        (encoded(scene("FR", 1))[:900], "image/jpeg", 422, "truncated"),
        (b"x", "text/plain", 415, "Expected a picture"),
        (b"\xff\xd8" + bytes(service.MOST_BYTES), "image/jpeg", 413, ""),
        (large_picture(), "image/png", 413, "25 megapixels|over 20 megapixels"),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused_by_name(
    address: str, data: bytes, kind: str, status: int, why: str
) -> None:
    answer = asked(address, data, **{"Content-Type": kind})
    assert answer.status_code == status
    assert re.search(why, answer.json()["error"])


def test_there_is_nothing_else_to_ask(address: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    base = address.removesuffix("/predict")
    assert requests.get(f"{base}/", headers=headers, timeout=30).status_code == 404
    assert requests.get(address, headers=headers, timeout=30).status_code == 405


def test_the_service_is_on_this_machine_alone_and_ends_with_its_block(predictor: Predictor) -> None:
    with service.opened(predictor) as one, service.opened(predictor) as other:
        assert one.startswith("http://127.0.0.1:")
        assert one.split("#")[1] != other.split("#")[1]  # a token each
        assert len(one.split("#")[1]) >= 24
    with pytest.raises(requests.ConnectionError):
        requests.get(one, timeout=5)


def test_the_command_serves_or_looks_at_photos_but_not_both(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--serve", "a.jpg"]) == 2
    assert main([]) == 2
    assert "or --serve without photos" in capsys.readouterr().err


def test_the_extension_has_the_identity_that_the_service_lets_in() -> None:
    key = base64.b64decode(json.loads((EXTENSION / "manifest.json").read_text())["key"])
    digits = hashlib.sha256(key).hexdigest()[:32]  # Chrome writes hex digits as the letters a to p
    assert "".join(chr(ord("a") + int(digit, 16)) for digit in digits) == service.EXTENSION_ID


def test_the_extension_may_ask_this_machine_and_nobody_else() -> None:
    manifest = json.loads((EXTENSION / "manifest.json").read_text())
    assert manifest["manifest_version"] == 3
    assert manifest["host_permissions"] == ["http://127.0.0.1/*"]
    assert set(manifest["permissions"]) == {"activeTab", "scripting", "sidePanel", "storage"}
    assert "content_scripts" not in manifest  # nothing runs in a page before the button is clicked
    policy = manifest["content_security_policy"]["extension_pages"]
    assert "connect-src data: http://127.0.0.1:*" in policy


def test_the_extension_knows_the_pages_as_the_collector_does() -> None:
    text = (EXTENSION / "site.js").read_text()
    known = json.loads(text[text.index("{") : text.index("};") + 1])
    site = Site()
    assert known == {
        "base": site.base,
        "game": f"^{site.game.format(game=GAME_ID)}$",
        "canvas": site.canvas,
        "hidden": site.hidden,
        "loading": site.loading,
        "roundShown": site.round_shown.pattern,
        "ofPeople": [site.starting, site.next_starts, site.spectate, "right answer was"],
    }
    assert site.answer.pattern.startswith("right answer was")
