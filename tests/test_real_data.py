"""The committed lists of the real photos hold: fetched from a server, processed, pair by pair."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.test_whole import ROOT, STAGES, make_root

REAL = Path(os.environ.get("LOST_AND_FOUND_REAL_DATA", ROOT.parent / "shared" / "data"))

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not (REAL / "street-views").is_dir(),
        reason="no real photos: name their folder in LOST_AND_FOUND_REAL_DATA",
    ),
]


class Quiet(SimpleHTTPRequestHandler):
    """A file server that keeps connections open and says nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Leave requests out of the test's output."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(REAL))) as httpd:
        thread = Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join(10)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_street_views_come_from_a_server_and_end_in_the_committed_lists(
    server: str, tmp_path: Path
) -> None:
    root = make_root(tmp_path / "root")
    for dataset in ("street-views", "country-views"):
        (root / "data-lists" / dataset).mkdir()
        for path in (ROOT / "data-lists" / dataset).iterdir():
            (root / "data-lists" / dataset / path.name).write_bytes(path.read_bytes())
    environment = {
        **os.environ,
        "LOST_AND_FOUND_ROOT": str(root),
        "LOST_AND_FOUND_SOURCE": server,
        "LOST_AND_FOUND_GEODATA": str(REAL / "geodata"),
    }
    command = [sys.executable, "-m", "shared.pipeline", "--dataset", "street-views"]
    done = subprocess.run(
        [*command, "--to", STAGES[1]], env=environment, capture_output=True, text=True, timeout=800
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    # The lists exist, so the notebooks hold what they make to them: any difference is an error.
    fetched = list((root / "1-data-collection/.data/street-views").glob("*.jpg"))
    assert len(fetched) == 1220
