"""The predictor as a service on this machine, for the extension of `4-evaluation/extension`.

`POST /predict` with a picture as its body answers with countries, an area and a map. It listens on
127.0.0.1 alone, answers only who has the token that it prints at its start, and refuses web pages
by their `Origin`. Of a picture's metadata the orientation alone is read; nothing is kept.
"""

import asyncio
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.loopback import HOST, served
from shared.predict.answers import as_dict
from shared.predict.map_image import answer_svg
from shared.predict.predictor import Predictor
from shared.processing.decode import ImageRefusedError, Reason, read_header

# Follows from the key in the extension's manifest, wherever its folder lies.
EXTENSION_ID = "ifjddlkepkcmjpompnebioogbdgkpblj"
ORIGIN = f"chrome-extension://{EXTENSION_ID}"
MOST_BYTES = 8 * 1024**2
MOST_MEGAPIXELS = 20.0  # a screenshot of a 5K display has 15
TYPES = ("image/jpeg", "image/png", "image/webp")
N_COUNTRIES = 5


@contextmanager
def opened(predictor: Predictor, port: int = 0, token: str = "") -> Iterator[str]:
    """Serve a model as long as the block lasts.

    Args:
        predictor: the model.
        port: of 127.0.0.1; 0: any that is free.
        token: what callers have to know; "": a new one.

    Yields:
        The address with the token, as the extension's options take it.
    """
    secret = token or secrets.token_urlsafe(18)
    with served(make_app(predictor, secret), port) as found:
        yield f"http://{HOST}:{found}/#{secret}"


def run(predictor: Predictor, say: Callable[[str], None], port: int = 0) -> None:
    """Serve a model until Control-C, or until the kernel is interrupted.

    Args:
        predictor: the model.
        say: is given lines for the person.
        port: of 127.0.0.1; 0: any that is free.
    """
    with opened(predictor, port) as address:
        say(f"Paste this address into the extension's options: {address}")
        say("It is a training aid for single-player rounds. It ends with Control-C.")
        try:
            while True:
                time.sleep(0.5)
        except KeyboardInterrupt:
            say("The service has ended.")


def make_app(predictor: Predictor, token: str) -> web.Application:
    """The service.

    Args:
        predictor: the model.
        token: what callers have to know.
    """
    lock = asyncio.Lock()  # one picture at a time: a burst of requests takes no more memory

    async def predict(request: web.Request) -> web.Response:
        if request.content_type not in TYPES:
            return _refusal(415, f"Expected a picture ({', '.join(TYPES)})")
        data = await request.read()
        try:
            async with lock:
                return web.json_response(await asyncio.to_thread(answered, predictor, data))
        except ImageRefusedError as error:
            status = 413 if error.reason == Reason.TOO_LARGE else 422
            return _refusal(status, f"This picture is not used: {error}")

    app = web.Application(client_max_size=MOST_BYTES, middlewares=[_named, _gate(token)])
    app.add_routes([web.post("/predict", predict)])
    return app


def answered(predictor: Predictor, data: bytes) -> dict[str, Any]:
    """What is answered to a picture: `as_dict`, a `sentence`, `cautions`, `model`, a `map` (SVG).

    Args:
        predictor: the model.
        data: the file of the picture.

    Raises:
        ImageRefusedError: it cannot be used, or is too large.
    """
    header = read_header(data)
    if header.width * header.height > MOST_MEGAPIXELS * 1e6:
        detail = f"{header.width} x {header.height} is over {MOST_MEGAPIXELS:g} megapixels"
        raise ImageRefusedError(Reason.TOO_LARGE, detail)
    answers = predictor.predict(data, top=N_COUNTRIES)
    return {
        **as_dict(answers[0]),
        "sentence": answers[0].text(),
        "cautions": answers.cautions,
        "model": dict(answers.model),
        "map": answer_svg(answers),
    }


def _gate(token: str) -> Middleware:
    """Lets in who asks this machine by its number, from the extension or from no page, and knows.

    A page of another site that is led here by its own name (DNS rebinding) has another `Host`.
    """
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if request.host.partition(":")[0] != HOST or origin not in (None, ORIGIN):
            return _refusal(403, "Only the extension may ask")
        if request.method == "OPTIONS" and origin == ORIGIN:
            return web.Response(status=204, headers=_cors())
        told = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(told, expected):
            return _refusal(401, "The token is wrong: paste the address that was printed anew")
        answer = await handler(request)
        if origin == ORIGIN:
            answer.headers.update(_cors())
        return answer

    return gate


@web.middleware
async def _named(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Aiohttp's own refusals (no such address, a body that is too large) as JSON like the rest."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _refusal(error.status, error.reason)


def _refusal(status: int, why: str) -> web.Response:
    return web.Response(
        status=status, text=json.dumps({"error": why}), content_type="application/json"
    )


def _cors() -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": ORIGIN,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Vary": "Origin",
    }
