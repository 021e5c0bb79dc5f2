"""Stand-ins of published data sets, written from their documentation: layouts, a hub, an API."""

import contextlib
import csv
import hashlib
import io
import json
import socket
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from PIL import Image

from tests.projects import make_project

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root of its own, without options from outside, and quick to give up."""
    root = make_project(tmp_path, monkeypatch)
    monkeypatch.setenv("LOST_AND_FOUND_RETRIES", "2")
    return root


def jpeg(number: int, exif: Image.Exif | None = None, size: tuple[int, int] = (24, 16)) -> bytes:
    """A small picture, another one for each number."""
    colour = (number * 37 % 256, number * 91 % 256, number * 13 % 256)
    file = io.BytesIO()
    options = {"exif": exif} if exif is not None else {}
    Image.new("RGB", size, colour).save(file, "JPEG", **options)
    return file.getvalue()


def png(number: int) -> bytes:
    """The same as a PNG, as the scraper of Lost & Found writes."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(jpeg(number))) as image:
        image.save(file, "PNG")
    return file.getvalue()


def gps_exif(lat: float, lon: float, **more: Any) -> Image.Exif:
    """EXIF as cameras write it: degrees, minutes and seconds without sign, and hemispheres."""
    exif = Image.Exif()
    gps: dict[int, Any] = {
        1: "S" if lat < 0 else "N",
        2: _sexagesimal(lat),
        3: "W" if lon < 0 else "E",
        4: _sexagesimal(lon),
    }
    gps.update(more.get("gps", {}))
    exif.get_ifd(0x8825).update(gps)
    exif.get_ifd(0x8769)[0x9003] = more.get("taken", "2021:06:30 12:34:56")
    exif[0x010F] = "A camera of somebody"
    return exif


def _sexagesimal(angle: float) -> tuple[float, float, float]:
    degrees = int(abs(angle))
    minutes = int((abs(angle) - degrees) * 60)
    return degrees, minutes, (abs(angle) - degrees - minutes / 60) * 3600


# --- OSV-5M: its columns, as its builder and its card name them

TRAIN_HEADER = (
    "id,latitude,longitude,thumb_original_url,country,sequence,captured_at,lon_bin,lat_bin,cell,"
    "region,sub-region,city,land_cover,road_index,drive_side,climate,soil,dist_sea,"
    "quadtree_10_5000,quadtree_10_25000,quadtree_10_1000,quadtree_10_50000,quadtree_10_12500,"
    "quadtree_10_500,quadtree_10_2500,unique_region,unique_sub-region,unique_city,unique_country,"
    "creator_username,creator_id"
)
TEST_HEADER = (
    "id,latitude,longitude,country,captured_at,lon_bin,lat_bin,cell,land_cover,road_index,"
    "drive_side,climate,soil,dist_sea,region,sub-region,city,unique_city,unique_sub-region,"
    "unique_region,unique_country,quadtree_10_1000,creator_username,creator_id,sequence"
)
TRAIN_COLUMNS, TEST_COLUMNS = TRAIN_HEADER.split(","), TEST_HEADER.split(",")
COUNTRIES = {"NA": (-22.56, 17.08), "FR": (48.85, 2.35), "NZ": (-41.29, 174.78)}


def osv5m_row(number: int) -> dict[str, str]:
    """A row like the one that the data set's builder shows."""
    code = list(COUNTRIES)[number % 3]
    lat, lon = COUNTRIES[code]
    return {
        "id": str(3859149887465501 + number),
        "latitude": repr(lat + number / 1000),
        "longitude": repr(lon - number / 1000),
        "thumb_original_url": "https://scontent.example/x.jpg?oh=1",
        "country": code,
        "sequence": f"seq{number // 4}",
        "captured_at": str(1_600_000_000_000 + 86_400_000 * number),
        "lon_bin": "8",
        "lat_bin": "0.5",
        "cell": "(0, 8)",
        "region": "" if number % 5 == 0 else "Khomas",
        "sub-region": "",
        "city": "Windhoek, North",
        "land_cover": "4",
        "road_index": "4.661764145",
        "drive_side": "1",
        "climate": "15",
        "soil": "3",
        "dist_sea": "0.0068841379890803",
        "unique_city": f"Waitangi_NaN_Khomas_{code}",
        "unique_region": f"Khomas_{code}",
        "unique_sub-region": "",
        "unique_country": code,
        "creator_username": "roadroid",
        "creator_id": "111336221091714.0",
        **{f"quadtree_10_{n}": str(number) for n in (500, 1000, 2500, 5000, 12500, 25000, 50000)},
    }


@dataclass
class Osv5mCopy:
    """A made copy of OSV-5M in its layout, and what is in it."""

    folder: Path
    rows: dict[str, dict[str, str]] = field(default_factory=dict)  # by our ids
    shards: dict[str, str] = field(default_factory=dict)  # "train/00" by our ids


def make_osv5m(folder: Path, per_shard: int = 6, train: int = 3, test: int = 1) -> Osv5mCopy:
    """Write the tables and the shards; the photos of a shard are strewn over the table."""
    made = Osv5mCopy(folder)
    for split, columns, n_shards in (("train", TRAIN_COLUMNS, train), ("test", TEST_COLUMNS, test)):
        first = 0 if split == "train" else 1000
        rows = [osv5m_row(first + k) for k in range(n_shards * per_shard)]
        (folder / "images" / split).mkdir(parents=True)
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, columns, extrasaction="ignore")
            table.writeheader()
            table.writerows(rows)
        for shard in range(n_shards):
            path = folder / "images" / split / f"{shard:02d}.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
                for number in range(shard, len(rows), n_shards):
                    row = rows[number]
                    archive.writestr(f"{shard:02d}/{row['id']}.jpg", jpeg(first + number))
                    made.rows[f"{split}_{row['id']}"] = row
                    made.shards[f"{split}_{row['id']}"] = f"{split}/{shard:02d}"
    return made


# --- servers on loopback, bounded by the test


@dataclass
class LoopbackServer:
    """A server; `log` has a line `<method> <path> <range>` for each request."""

    answer: Callable[[str, str, dict[str, str], bytes], Answer]
    log: list[str] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextlib.contextmanager
def serving(server: LoopbackServer) -> Iterator[LoopbackServer]:
    """Run a server on a free port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            with server.lock:
                server.log.append(f"{self.command} {self.path} {headers.get('range', '')}".strip())
                status, more, data = server.answer(self.command, self.path, headers, body)
            self.send_response(status)
            for key, value in {"Content-Length": str(len(data)), **more}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_HEAD = _reply

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Quick(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True
        address_family = socket.AF_INET

    with Quick(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
        yield server
        httpd.shutdown()
        thread.join(10)


def files_of(folder: Path) -> LoopbackServer:
    """A plain server of files, as raw.githubusercontent.com is."""

    def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        place = folder / unquote(urlsplit(path).path).lstrip("/")
        if not place.is_file():
            return 404, {}, b"404: Not Found"
        return 200, {"Content-Type": "application/octet-stream"}, place.read_bytes()

    return LoopbackServer(answer)


def hub_of(
    folder: Path, revision: str, repo: str = "osv5m/osv5m", sha256: Mapping[str, str] | None = None
) -> LoopbackServer:
    """The Hugging Face hub for one data set at one revision: paths, trees, and files by range.

    Args:
        folder: its files.
        revision: the commit.
        repo: its name.
        sha256: what is said of large files, by name, where it is not what they are.
    """
    api = f"/api/datasets/{repo}"
    resolve = f"/datasets/{repo}/resolve/{revision}/"

    def entry(path: Path) -> dict[str, Any]:
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            return {"type": "directory", "oid": "0" * 40, "size": 0, "path": name}
        size = path.stat().st_size
        digest = (sha256 or {}).get(name) or hashlib.sha256(path.read_bytes()).hexdigest()
        lfs = {"oid": digest, "size": size, "pointerSize": 134}
        return {"type": "file", "oid": "0" * 40, "size": size, "path": name, "lfs": lfs}

    def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        bare = unquote(urlsplit(path).path)
        if bare == f"{api}/revision/{revision}":
            return _json({"id": repo, "sha": revision, "siblings": []})
        if bare == f"{api}/paths-info/{revision}":
            wanted = json.loads(body)["paths"] if body.startswith(b"{") else _form(body)
            found = [folder / name for name in wanted]
            return _json([entry(place) for place in found if place.exists()])
        if bare.startswith(f"{api}/tree/{revision}"):
            inner = folder / bare.removeprefix(f"{api}/tree/{revision}").lstrip("/")
            if inner.is_dir():
                return _json([entry(place) for place in sorted(inner.iterdir())])
        if bare.startswith(resolve) and (folder / bare.removeprefix(resolve)).is_file():
            return _ranged((folder / bare.removeprefix(resolve)).read_bytes(), headers, revision)
        return 404, {"X-Error-Code": "EntryNotFound"}, b"{}"

    return LoopbackServer(answer)


def _form(body: bytes) -> Sequence[str]:
    return parse_qs(body.decode()).get("paths", [])


def _json(value: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _ranged(data: bytes, headers: dict[str, str], revision: str) -> Answer:
    more = {"ETag": f'"{len(data)}"', "X-Repo-Commit": revision, "Accept-Ranges": "bytes"}
    wanted = headers.get("range", "").removeprefix("bytes=")
    if not wanted:
        return 200, more, data
    start, _, end = wanted.partition("-")
    first, last = int(start), min(int(end or len(data) - 1), len(data) - 1)
    more["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return 206, more, data[first : last + 1]


def cut_range(line: str) -> int:
    """How many bytes a logged request asked for."""
    _, _, wanted = line.partition(" bytes=")
    start, _, end = wanted.partition("-")
    return int(end) - int(start) + 1 if wanted else 0


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG file."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
