"""Where rasters come from: local files, and remote ones that are pinned by digest or ETag.

`https://.../x.tif#sha256=<hex>` is downloaded once and checked; `https://.../x.tif#etag=<tag>`
stays where it is, and only the windows that are needed are asked for, once the server's ETag is
the one written here. `x.zip!y.tif` is a raster in an archive, local or remote.

`PUBLISHED` says where the rasters that the field uses are to be had. They come without digests,
which their publishers do not give: look at what you downloaded, and pin it.
"""

import urllib.request
from dataclasses import dataclass
from urllib.parse import urldefrag

HEAD_TIMEOUT_S = 30
MEMBER = "!"  # between an archive and a raster in it


@dataclass(frozen=True)
class Published:
    """A published raster of a fact.

    Attributes:
        name: what it is called, with its version.
        url: where it is downloaded.
        files: the rasters in what is downloaded; `{month:02d}` stands for the month.
        parameter: what of `surroundings.Rasters` (and of the notebook) takes its path.
        unit: what its numbers are, as they are stored.
        source: who made it.
    """

    name: str
    url: str
    files: str
    parameter: str
    unit: str
    source: str


_WORLDCLIM = "https://geodata.ucdavis.edu/climate/worldclim/2_1/base"
_FICK = "Fick and Hijmans (2017), International Journal of Climatology 37, 4302"
PUBLISHED = {
    "climate": Published(
        "Koeppen-Geiger classes of 1980 to 2016, 1 km",
        "https://doi.org/10.6084/m9.figshare.6396959",
        "Beck_KG_V1_present_0p0083.tif",
        "climate",
        "classes 1 to 30",
        "Beck et al. (2018), Scientific Data 5, 180214",
    ),
    "elevation_m": Published(
        "WorldClim 2.1 elevation (from SRTM), 10 arc minutes",
        f"{_WORLDCLIM}/wc2.1_10m_elev.zip",
        "wc2.1_10m_elev.tif",
        "elevation",
        "m",
        _FICK,
    ),
    "population_per_km2": Published(
        "GHS-POP R2023A, 2020, 30 arc seconds",
        "https://human-settlement.emergency.copernicus.eu/download.php?ds=pop",
        "GHS_POP_E2020_GLOBE_R2023A_4326_30ss_V1_0.tif",
        "population (and population_unit='per cell')",
        "people a cell",
        "European Commission, Joint Research Centre (2023), Global Human Settlement Layer",
    ),
    "temperature_c": Published(
        "WorldClim 2.1 mean temperature of 1970 to 2000, 10 arc minutes",
        f"{_WORLDCLIM}/wc2.1_10m_tavg.zip",
        "wc2.1_10m_tavg_{month:02d}.tif",
        "temperature",
        "degrees C, mean of a month",
        _FICK,
    ),
    "precipitation_mm_day": Published(
        "WorldClim 2.1 precipitation of 1970 to 2000, 10 arc minutes",
        f"{_WORLDCLIM}/wc2.1_10m_prec.zip",
        "wc2.1_10m_prec_{month:02d}.tif",
        "precipitation",
        "mm, sum of a month",
        _FICK,
    ),
}


def where_from(fact: str) -> str:
    """What to download for a fact, from where, and which parameter takes it."""
    found = PUBLISHED[fact]
    return (
        f"{found.name} ({found.source}): download {found.files} from {found.url} and give its "
        f"path, or a pinned address, as {found.parameter}; its unit is {found.unit}"
    )


def local_name(source: str) -> str:
    """What rasterio opens for a source: a path, a downloaded file, or a remote one.

    Raises:
        FileNotFoundError: when an address is not pinned, or what lies there is not what is pinned.
    """
    address, pin = urldefrag(source) if is_remote(source) else (source, "")
    outer, _, member = address.partition(MEMBER)
    name = _pinned(outer, pin, source) if is_remote(source) else outer
    if not member:
        return name
    return f"/vsizip/{name}/{member}" if name.startswith("/") else f"/vsizip/./{name}/{member}"


def is_remote(source: str) -> bool:
    """Whether a source is an address, and no path."""
    return source.startswith(("http://", "https://"))


def _pinned(url: str, pin: str, source: str) -> str:
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
