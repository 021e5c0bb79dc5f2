"""The data-loader: listing, opening a verified list, downloading; each beside its baseline.

Run alone: `python -m benchmarks.bench_data_loader`; `BENCH_SCALE=0.01` for a quick look.
"""

import contextlib
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.table import Row, as_table, scale
from shared.data_loader import Store, load_pairs, pin_pairs
from shared.data_loader.listing import list_pairs

PAIRS = 330_000
DOWNLOADED_PAIRS = 5_000
ROUNDS = 5
OPENED = """
import sys, time
from pathlib import Path
from shared.data_loader import Store, load_pairs
start = time.perf_counter()
pairs = load_pairs("bench", "1-collect", Store(Path(sys.argv[1]), Path(sys.argv[1])))
taken = time.perf_counter() - start
# not `ru_maxrss`: across fork and exec it keeps what the parent had
status = Path("/proc/self/status").read_text().split()
print(taken, int(status[status.index("VmHWM:") + 1]) / 1024, len(pairs))
"""
NGINX = """
daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/error.log;
{user}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ alias {folder}/; autoindex on; }} }}
}}
"""


def rows() -> Iterator[Row]:
    """Yield the three comparisons."""
    with _project() as root:
        folder = root / "tree"
        _write_tree(folder, max(100, int(PAIRS * scale())))
        yield _listing(folder)
        yield _opening(folder)
        shutil.rmtree(folder)
        yield from _downloading(root, max(50, int(DOWNLOADED_PAIRS * scale())))


def _listing(folder: Path) -> Row:
    """Listing, pairing and ordering, as pairs, against the names from `os.scandir`."""
    store = Store(folder, folder)
    os.environ["LOST_AND_FOUND_LISTING_CACHE"] = "off"
    ours, theirs = _interleaved(lambda: list_pairs(store), lambda: _scandir(folder))
    n = len(list_pairs(store).pairs)
    del os.environ["LOST_AND_FOUND_LISTING_CACHE"]
    ratio = ours / theirs
    return Row(
        f"list, pair and order {n:,} pairs",
        f"{ours:.2f} s",
        f"os.scandir, names only: {theirs:.2f} s",
        ratio,
        "at most 2 x",
        ratio <= 2,
    )


def _opening(folder: Path) -> Row:
    """Opening a list whose files were verified before, in a process of its own."""
    store = Store(folder, folder)
    pin_pairs("bench", "1-collect", store, source="made for this benchmark", may_write=True)
    load_pairs("bench", "1-collect", store)
    command = [sys.executable, "-c", OPENED, str(folder)]
    taken, memory = [], []
    for _ in range(3):
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, megabytes, n = done.stdout.split()
        taken.append(float(seconds))
        memory.append(float(megabytes))
    seconds_taken = statistics.median(taken)
    return Row(
        f"open a verified list of {int(n):,} pairs again",
        f"{seconds_taken:.2f} s, {max(memory):.0f} MB",
        "3 s, 500 MB",
        seconds_taken / 3,
        "at most 3 s and 500 MB",
        seconds_taken <= 3 and max(memory) <= 500,
    )


def _downloading(root: Path, n: int) -> Iterator[Row]:
    """Downloading and verifying pairs from nginx, against curl and aria2c, which verify nothing."""
    absent = [name for name in ("nginx", "curl", "aria2c") if shutil.which(name) is None]
    if "nginx" in absent or {"curl", "aria2c"} <= set(absent):
        yield Row("download", "not run", f"apt-get install {' '.join(absent)}", 0, "0.8 x", False)
        return
    served = root / "served"
    _write_photos(served, n)
    names = sorted(os.listdir(served))  # noqa: PTH208
    pin_pairs("bench", "2-fetch", Store(served, served), source="made", may_write=True)
    with _nginx(root, served) as url:
        sides = {"ours": lambda folder: _fetch_ours(folder, url)}
        if "curl" not in absent:
            sides["curl -Z"] = lambda folder: _fetch_curl(folder, url, names)
        if "aria2c" not in absent:
            sides["aria2c"] = lambda folder: _fetch_aria(folder, url, names)
        taken = _download_rounds(root, sides, len(names))
    ours = taken.pop("ours")
    # "curl -Z or aria2c": held to the slower of the two, and both are shown
    against = max(taken, key=lambda name: taken[name])
    shares = ", ".join(f"{name} {len(names) / s:,.0f}" for name, s in taken.items())
    yield Row(
        f"download {n:,} pairs from nginx, verified",
        f"{len(names) / ours:,.0f} files/s",
        f"{shares} files/s, unverified",
        taken[against] / ours,
        f"at least 0.8 x curl -Z or aria2c (here: {against})",
        taken[against] / ours >= 0.8,
    )


def _download_rounds(
    root: Path, sides: dict[str, Callable[[Path], None]], n_files: int
) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(3):
        for name, fetch in sides.items():
            target = root / "target"
            target.mkdir()
            start = time.perf_counter()
            fetch(target)
            taken[name].append(time.perf_counter() - start)
            assert len(os.listdir(target)) == n_files, name  # noqa: PTH208
            shutil.rmtree(target)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _fetch_ours(folder: Path, url: str) -> None:
    load_pairs("bench", "2-fetch", Store(folder, folder, remote=url))


def _fetch_curl(folder: Path, url: str, names: list[str]) -> None:
    lines = "".join(f'url = "{url}/{name}"\noutput = "{folder}/{name}"\n' for name in names)
    command = ["curl", "-Z", "--parallel-max", "32", "-s", "-S", "--no-progress-meter", "-K", "-"]
    subprocess.run(command, input=lines.encode(), check=True)


def _fetch_aria(folder: Path, url: str, names: list[str]) -> None:
    lines = "".join(f"{url}/{name}\n" for name in names)
    command = ["aria2c", "-q", "-j32", "--file-allocation=none", "-d", str(folder), "-i", "-"]
    subprocess.run(command, input=lines.encode(), check=True)


def _interleaved(*sides: Callable[[], object]) -> list[float]:
    """The median seconds of each side, taken in turns."""
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(ROUNDS):
        for seconds, side in zip(taken, sides, strict=True):
            start = time.perf_counter()
            result = side()
            seconds.append(time.perf_counter() - start)
            del result
    return [statistics.median(seconds) for seconds in taken]


def _scandir(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _write_tree(folder: Path, n: int) -> None:
    """Tiny pairs with names as Lost & Found's, in no order."""
    folder.mkdir(parents=True)
    draw = random.Random(0)
    for number in range(n):
        name = f"{folder}/singleplayer_{draw.getrandbits(64):016x}_{number % 5}"
        for suffix, data in ((".jpg", b"\xff\xd8"), (".json", b"{}")):
            handle = os.open(name + suffix, os.O_CREAT | os.O_WRONLY)
            os.write(handle, data + str(number).encode())
            os.close(handle)


def _write_photos(folder: Path, n: int) -> None:
    """Pairs of the sizes of 320 x 180 JPEGs: 8 to 30 kB, and records of 100 bytes."""
    folder.mkdir(parents=True)
    draw = random.Random(1)
    for number in range(n):
        (folder / f"view_{number:06d}.jpg").write_bytes(draw.randbytes(draw.randint(8, 30) * 1000))
        (folder / f"view_{number:06d}.json").write_bytes(b'{"coordinates": [1, 2]}' + b" " * 77)


@contextlib.contextmanager
def _project() -> Iterator[Path]:
    """A project root of its own in a temporary folder, removed at the end."""
    before = os.environ.get("LOST_AND_FOUND_ROOT")
    with tempfile.TemporaryDirectory(prefix="bench-data-loader-") as name:
        Path(name).chmod(0o755)  # nginx may serve as another user
        os.environ["LOST_AND_FOUND_ROOT"] = name
        try:
            yield Path(name)
        finally:
            if before is None:
                del os.environ["LOST_AND_FOUND_ROOT"]
            else:
                os.environ["LOST_AND_FOUND_ROOT"] = before


@contextlib.contextmanager
def _nginx(root: Path, folder: Path) -> Iterator[str]:
    work = root / "nginx"
    work.mkdir()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    text = NGINX.format(work=work, port=port, folder=folder, user=user)
    (work / "nginx.conf").write_text(text)
    program = shutil.which("nginx") or "nginx"
    process = subprocess.Popen(
        [program, "-p", str(work), "-c", str(work / "nginx.conf")], stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, work / "error.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, log: Path) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    msg = f"nginx did not start: {log.read_text()}"
    raise RuntimeError(msg)


if __name__ == "__main__":
    print(as_table(rows()))
