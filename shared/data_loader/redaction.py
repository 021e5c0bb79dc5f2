"""What may be shown of a URL: no user, password, token or signed query."""

import re

_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(r"(?<=[^\s?'\"])\?[^\s'\"<>)]*")
_URL = re.compile(r"\w[\w+.\-]*://[^\s'\"<>]*")


def redacted(text: object) -> str:
    """A text in which no URL shows its user, password or query."""
    return _URL.sub(lambda match: _QUERY.sub("?...", _USERINFO.sub("", match[0])), str(text))
