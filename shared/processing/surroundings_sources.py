"""Where rasters come from: local files, and remote ones that are pinned by digest or ETag.

`https://.../x.tif#sha256=<hex>` is downloaded once and checked; `https://.../x.tif#etag=<tag>`
stays where it is, and only the windows that are needed are asked for, once the server's ETag is
the one written here.
"""

import urllib.request
from urllib.parse import urldefrag

HEAD_TIMEOUT_S = 30


def local_name(source: str) -> str:
    """What rasterio opens for a source: a path, a downloaded file, or a remote one.

    Raises:
        FileNotFoundError: when an address is not pinned, or what lies there is not what is pinned.
    """
    if not source.startswith(("http://", "https://")):
        return source
    url, pin = urldefrag(source)
    kind, _, value = pin.partition("=")
    if kind == "sha256" and value:
        return _downloaded(url, value)
    if kind == "etag" and value:
        _check_etag(url, value)
        return f"/vsicurl/{url}"
    msg = f"Expected a pinned address, {url}#sha256=<hex> or #etag=<tag>, but got {source}"
    raise FileNotFoundError(msg)


def _downloaded(url: str, sha256: str) -> str:
    import pooch  # here, not above: it imports tqdm.auto, which warns in every notebook

    try:
        return str(
            pooch.retrieve(
                url, known_hash=f"sha256:{sha256}", path=pooch.os_cache("lost-and-found")
            )
        )
    except (OSError, ValueError) as error:
        msg = f"Could not download {url} ({error}). Without network: give the path of a local copy"
        raise FileNotFoundError(msg) from error


def _check_etag(url: str, etag: str) -> None:
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=HEAD_TIMEOUT_S) as answer:
            found = str(answer.headers.get("ETag", "")).removeprefix("W/").strip('"')
    except OSError as error:
        msg = f"Could not ask for {url} ({error}). Without network: give the path of a local copy"
        raise FileNotFoundError(msg) from error
    if found != etag:
        msg = f"Expected {url} with ETag {etag}, but it has {found or 'none'}: look at it, pin anew"
        raise FileNotFoundError(msg)
