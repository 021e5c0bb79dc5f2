"""A stand-in of huggingface.co on 127.0.0.1: repositories with pinned commits, and their faults.

It answers what `huggingface_hub` asks for: `HEAD` and `GET` of `/{repo}/resolve/{revision}/{file}`
with the headers `ETag` and `X-Repo-Commit`, and 404 with `X-Error-Code` for what is not there.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from huggingface_hub import constants
from transformers.utils import hub as transformers_hub

RESOLVE = re.compile(r"^/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)$")


class Hub(ThreadingHTTPServer):
    """The server.

    Attributes:
        commits: repository -> commit -> name of a file -> its bytes.
        newest: repository -> the commit that `main` is.
        dies_at: after how many bytes of a file the connection breaks, and the server with it.
        asked: the path of each request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.commits: dict[str, dict[str, Mapping[str, bytes]]] = {}
        self.newest: dict[str, str] = {}
        self.dies_at: int | None = None
        self.is_dead = False
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        """What `HF_ENDPOINT` would be."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, repo: str, folder: Path, **changed: bytes) -> str:
        """The files of a folder as a new commit of a repository; gives the commit."""
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        files.update({name.replace("__", "."): content for name, content in changed.items()})
        told = "".join(f"{k} {hashlib.sha1(v).hexdigest()}" for k, v in sorted(files.items()))
        commit = hashlib.sha1(told.encode()).hexdigest()
        self.commits.setdefault(repo, {})[commit] = files
        self.newest[repo] = commit
        return commit

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that were cut on purpose are no news."""


class Answers(BaseHTTPRequestHandler):
    """One request."""

    server: Hub

    def do_HEAD(self) -> None:
        """Say what a file is."""
        self._answer(with_body=False)

    def do_GET(self) -> None:
        """Give a file."""
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        hub = self.server
        hub.asked.append(self.path)
        if hub.is_dead:
            self.close_connection = True
            self.connection.close()
            return
        found = RESOLVE.match(self.path.partition("?")[0])
        commits = hub.commits.get(found["repo"]) if found else None
        if found is None or commits is None:
            self._lacking("RepoNotFound" if commits is None and found else "EntryNotFound")
            return
        revision = found["revision"]
        commit = hub.newest[found["repo"]] if revision == "main" else revision
        if commit not in commits:
            self._lacking("RevisionNotFound")
        elif found["name"] not in commits[commit]:
            self._lacking("EntryNotFound", commit)
        else:
            self._give(commits[commit][found["name"]], commit, with_body)

    def _lacking(self, code: str, commit: str = "") -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _give(self, content: bytes, commit: str, with_body: bool) -> None:
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not with_body:
            return
        limit = self.server.dies_at
        if limit is not None and len(content) > limit:
            self.wfile.write(content[:limit])
            self.wfile.flush()
            self.server.is_dead = True
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


@contextmanager
def running_hub(cache: Path, patched: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that the libraries take for huggingface.co, with an empty cache; stopped at the end."""
    with Hub() as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        patched.setattr(constants, "ENDPOINT", hub.address)
        patched.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patched.setattr(constants, "HF_HUB_CACHE", str(cache))
        patched.setattr(constants, "HF_HUB_OFFLINE", False)
        patched.setattr(transformers_hub, "_hf_api", None)
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join(timeout=5)
