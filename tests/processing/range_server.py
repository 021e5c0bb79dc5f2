"""A loopback server of one file that answers ranges and tells an ETag, in a process of its own.

GDAL asks for ranges while it holds Python's lock, so that a thread could not answer. Run as
`python range_server.py FILE`; it prints its port. `/sent` tells how many bytes of the file it sent.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA = Path(sys.argv[1]).read_bytes()
sent: list[int] = []


class Handler(BaseHTTPRequestHandler):
    """Answers any path with the file, or a range of it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send the head and the bytes."""
        if self.path == "/sent":
            self._tell(str(sum(sent)).encode())
            return
        begin, end = self._head()
        sent.append(end + 1 - begin)
        self.wfile.write(DATA[begin : end + 1])

    def do_HEAD(self) -> None:
        """Send the head alone."""
        self._head()

    def _tell(self, text: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _head(self) -> tuple[int, int]:
        wanted = self.headers.get("Range", "")
        begin, end = 0, len(DATA) - 1
        if wanted.startswith("bytes="):
            low, high = wanted.removeprefix("bytes=").split("-")
            begin, end = int(low), min(int(high or end), end)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {begin}-{end}/{len(DATA)}")
        self.send_header("Content-Length", str(end + 1 - begin))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"tag-1"')
        self.end_headers()
        return begin, end

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
