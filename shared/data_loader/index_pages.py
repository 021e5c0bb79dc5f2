"""What a server's page says is there: nginx and Apache indexes, JSON indexes, any page of links.

Links are read from `href`, never from their text, which servers cut to 50 characters.
"""

import html
import json
import logging
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urljoin, urlsplit

from shared.data_loader.errors import DataListError, first_few
from shared.data_loader.names import is_safe, split_name
from shared.data_loader.redaction import redacted

logger = logging.getLogger(__name__)

_HREF = re.compile(
    rb"""<a\b[^>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.IGNORECASE
)


@dataclass
class Index:
    """The files of pairs that a page names, each with its URL, and the folders below it."""

    files: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def report(self, url: str) -> None:
        """Warn of the names that were refused."""
        if self.refused:
            logger.warning(
                "%s: %s files with unsafe names or on other servers are not fetched:\n%s",
                redacted(url),
                f"{len(self.refused):,}",
                first_few([redacted(repr(name[:120])) for name in self.refused]),
            )


def read_index(page: bytes, url: str, content_type: str = "") -> Index:
    """Read an index page.

    Args:
        page: the body.
        url: where it came from; links are relative to it.
        content_type: the header that came with it.

    Raises:
        DataListError: it says that it is JSON, and is no list of names.
    """
    if "json" in content_type or page.lstrip()[:1] in (b"[", b"{"):
        return _read_json(page, url)
    return _read_links(page, url)


def _read_links(page: bytes, url: str) -> Index:
    index = Index()
    base = urlsplit(url)
    folder = base.path[: base.path.rfind("/") + 1]
    query = f"?{base.query}" if base.query else ""
    for quoted, single, bare in _HREF.findall(page):
        link = (quoted or single or bare).decode("utf-8", errors="replace")
        link = html.unescape(link).strip() if "&" in link or link[:1].isspace() else link
        if not link or link[0] in "#?":
            continue
        if "/" not in link and "?" not in link and ":" not in link and "\\" not in link:
            # the common case, spelt out: 300,000 links a second instead of 60,000
            _add(
                index, unquote(link), f"{url[: url.rfind('/') + 1]}{link}" if not query else "", url
            )
        else:
            _add_other(index, link, url, folder)
    return index


def _add_other(index: Index, link: str, url: str, folder: str) -> None:
    """A link that is more than the name of a file beside the page."""
    try:
        whole = urljoin(url, link)
        parts = urlsplit(whole)
    except ValueError:
        index.refused.append(link)
        return
    path = unquote(parts.path)
    name = path.rpartition("/")[2]
    if path.endswith("/"):
        inner = path[len(unquote(folder)) : -1] if path.startswith(unquote(folder)) else ""
        if inner and "/" not in inner and is_safe(inner) and parts.netloc == urlsplit(url).netloc:
            index.folders.append(whole)
        return
    if split_name(name) is None:  # get.php?file=<name>
        name = next((v for _, v in parse_qsl(parts.query) if split_name(v) is not None), name)
    if split_name(name) is None and split_name(path.replace("/", "_")) is None:
        return
    raw_steps = unquote(link.partition("?")[0]).replace("\\", "/").split("/")
    is_elsewhere = (parts.scheme, parts.netloc) != urlsplit(url)[:2]
    if ".." in raw_steps or is_elsewhere:
        index.refused.append(link)
        return
    _add(index, name, whole, url)


def _add(index: Index, name: str, address: str, url: str) -> None:
    if split_name(name) is None and not ("/" in name or "\\" in name):
        return
    if not is_safe(name):
        index.refused.append(name)
        return
    index.files.setdefault(name, address or with_query(urljoin(url, quote(name)), url))


def with_query(address: str, url: str) -> str:
    """An address below a URL, with the URL's query (a signature) where it has one of its own."""
    query = urlsplit(url).query
    return f"{address}?{query}" if query and "?" not in address else address


def _read_json(page: bytes, url: str) -> Index:
    try:
        entries: Any = json.loads(page)
    except ValueError as error:
        msg = f"{redacted(url)}: expected a JSON index, got {page[:80]!r} ({error})"
        raise DataListError(msg) from error
    if isinstance(entries, dict):
        entries = next((value for value in entries.values() if isinstance(value, list)), None)
    if not isinstance(entries, list):
        msg = (
            f"{redacted(url)}: expected a JSON list of names, or of objects with a 'name', got "
            f"{page[:80]!r}"
        )
        raise DataListError(msg)
    index = Index()
    start = url.partition("?")[0]
    start = start[: start.rfind("/") + 1]
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else entry
        if not isinstance(name, str):
            msg = f"{redacted(url)}: expected names in its JSON list, got {str(entry)[:80]!r}"
            raise DataListError(msg)
        is_folder = isinstance(entry, dict) and (
            entry.get("type") == "directory" or entry.get("is_dir") is True
        )
        if is_folder or name.endswith("/"):
            inner = name.rstrip("/")
            if is_safe(inner):
                index.folders.append(with_query(f"{start}{quote(inner)}/", url))
        else:
            _add(index, name, with_query(f"{start}{quote(name)}", url), url)
    return index
