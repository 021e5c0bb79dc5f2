"""Index pages as nginx, Apache, Caddy, Python and a PHP script write them, and hostile ones."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from shared.data_loader import DataListError
from shared.data_loader.index_pages import read_index

URL = "http://h.example/data/"
NGINX = b"""<html><head><title>Index of /data/</title></head><body><h1>Index of /data/</h1><hr><pre>
<a href="../">../</a>
<a href="ab/">ab/</a>                                   21-Nov-2026 09:00                   -
<a href="singleplayer_0123456789012345678901234567890123456789.json">singleplayer..&gt;</a> 10
<a href="a%20b%26c.jpg">a b&amp;c.jpg</a>                21-Nov-2026 09:00                  10
</pre><hr></body></html>"""
APACHE = b"""<table><tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">M</a></th>
<tr><td><a href="/">Parent Directory</a></td></tr>
<tr><td valign="top"><img src="/icons/image2.gif" alt="[IMG]"></td>
<td><a href="a.jpg">a.jpg</a></td>
<tr><td><A HREF='a.json'>a.json</A></td></tr><tr><td><a href="x&amp;y.png">x&amp;y.png</a></td>
</table>"""
PHP = b"""<a href=/data/a.jpg>a</a><br><a target="_blank" href="http://h.example/files/a.json">a</a>
<a href="get.php?file=b.jpg&amp;size=1">b</a> <a href="b.json?v=2">b</a>
<a href="mailto:me@example.org">me</a> <a href="javascript:void(0)">x</a> <a href="#top">top</a>"""


def test_nginx() -> None:
    index = read_index(NGINX, URL)
    name = "singleplayer_0123456789012345678901234567890123456789.json"
    assert index.files == {name: URL + name, "a b&c.jpg": URL + "a%20b%26c.jpg"}
    assert index.folders == [URL + "ab/"]
    assert index.refused == []


def test_apache() -> None:
    index = read_index(APACHE, URL)
    assert index.files == {
        "a.jpg": URL + "a.jpg",
        "a.json": URL + "a.json",
        "x&y.png": URL + "x&y.png",
    }
    assert index.folders == []


def test_links_of_a_script() -> None:
    assert read_index(PHP, URL).files == {
        "a.jpg": "http://h.example/data/a.jpg",
        "a.json": "http://h.example/files/a.json",
        "b.jpg": "http://h.example/data/get.php?file=b.jpg&size=1",
        "b.json": "http://h.example/data/b.json?v=2",
    }


@pytest.mark.parametrize(
    "page",
    [
        [{"name": "ab", "type": "directory"}, {"name": "é 1.jpg", "type": "file", "size": 3}],
        [{"name": "ab/", "is_dir": True}, {"name": "é 1.jpg", "is_dir": False, "url": "./x"}],
        ["ab/", "é 1.jpg"],
        {"files": ["ab/", "é 1.jpg"]},
    ],
)
def test_json(page: Any) -> None:
    index = read_index(json.dumps(page).encode(), URL)
    assert index.files == {"é 1.jpg": URL + "%C3%A9%201.jpg"}
    assert index.folders == [URL + "ab/"]


@pytest.mark.parametrize("page", [b"[1]", b'{"a": 1}', b'[{"size": 3}]', b'["a.jpg"'])
def test_json_that_is_no_index_is_an_error(page: bytes) -> None:
    with pytest.raises(DataListError, match=r"http://h.example/data/\?\.\.\.: expected "):
        read_index(page, URL + "?key=secret", "application/json")


@pytest.mark.parametrize(
    "link",
    [
        "../a.jpg",
        "..%2fa.jpg",
        "..%5ca.jpg",
        "%2fetc%2fa.jpg",
        "/x/../a.jpg",
        "http://other.example/a.jpg",
        "//other.example/a.jpg",
        "https://h.example/a.jpg",
        "a%00.jpg",
        "a%0d%0a.jpg",
        "file:///etc/a.jpg",
        "aux.jpg",
    ],
)
def test_links_that_lead_elsewhere_are_refused(link: str) -> None:
    index = read_index(f'<a href="{link}">x</a>'.encode(), URL)
    assert index.files == {}
    assert len(index.refused) == 1


def test_a_signature_in_the_url_is_kept_for_the_files() -> None:
    index = read_index(b'<a href="a.jpg">a</a>', URL + "?sig=1")
    assert index.files == {"a.jpg": URL + "a.jpg?sig=1"}


def test_a_page_that_is_garbage_names_nothing() -> None:
    assert read_index(b"\xff\x00<a href=" + b"<" * 10_000, URL).files == {}
    assert read_index(b'<a href="http://[bad/a.jpg">x</a>', URL).files == {}
    assert read_index(b"", URL).files == {}


def test_300000_links_take_seconds_at_most() -> None:
    page = b"".join(b'<a href="v_%06d.jpg">v_..&gt;</a> 1 2\n' % n for n in range(300_000))
    start = time.process_time()
    assert len(read_index(page, URL).files) == 300_000
    assert time.process_time() - start < 10


APACHE_SETTINGS = """
ServerRoot {work}
ServerName localhost
PidFile {work}/pid
ErrorLog {work}/error.log
Listen 127.0.0.1:{port}
{modules}
DocumentRoot {folder}
<Directory {folder}>
  Options +Indexes
  Require all granted
  {options}
</Directory>
"""


@pytest.mark.parametrize("options", ["", "IndexOptions FancyIndexing HTMLTable"])
def test_a_real_apache_is_read(project: Path, tmp_path: Path, options: str) -> None:
    import socket

    from shared.data_loader import pin_pairs, raw_store

    program = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin")
    modules = Path("/usr/lib/apache2/modules")
    if program is None or not modules.is_dir():
        pytest.skip("Apache is absent: apt-get install apache2-bin")
    folder = tmp_path / "served"
    folder.mkdir()
    for name in ("a b&c", "Ümlaut", "x" * 80):
        (folder / f"{name}.jpg").write_bytes(b"1")
        (folder / f"{name}.json").write_text("{}")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    names = {"mpm_event": "mpm_event", "authz_core": "authz_core", "autoindex": "autoindex"}
    loads = "\n".join(f"LoadModule {n}_module {modules}/mod_{f}.so" for n, f in names.items())
    text = APACHE_SETTINGS.format(
        work=tmp_path, port=port, folder=folder, modules=loads, options=options
    )
    (tmp_path / "apache.conf").write_text(text)
    command = [program, "-X", "-f", str(tmp_path / "apache.conf")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            for _ in range(200):
                if process.poll() is not None:
                    assert process.stderr is not None
                    pytest.skip(f"Apache does not start here: {process.stderr.read()!r}")
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            store = raw_store("demo", f"http://127.0.0.1:{port}/")
            pairs = pin_pairs("demo", "1-collect", store, source="x", may_write=True)
        finally:
            process.terminate()
    assert [pair.id for pair in pairs] == sorted(["a b&c", "Ümlaut", "x" * 80])
