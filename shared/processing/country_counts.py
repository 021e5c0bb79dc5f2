"""How many pairs each country has: the small table that a data set commits, and others map to.

It is `data-lists/<dataset>/countries.csv`, with the columns `part, code, name, pairs`. Like a data
list it is written once, and held to from then on.
"""

from pathlib import Path

import pandas as pd

from shared.countries import name_of


def country_table(codes: pd.Series) -> pd.DataFrame:
    """How many pairs each country has, in all and in each part of the data.

    A part is what stands before the first `_` of an id, such as `singleplayer`.

    Args:
        codes: country codes, indexed by id.

    Returns:
        `part, code, name, pairs`: the part `"all"` first, then the parts by name; in each the most
        frequent country first, equally frequent ones by code.
    """
    parts = codes.index.astype(str).str.partition("_").get_level_values(0)
    single = pd.DataFrame({"part": parts, "code": codes.to_numpy(dtype=object)})
    both = pd.concat([single.assign(part="all"), single])
    counts = both.groupby(["part", "code"], sort=True).size().rename("pairs").reset_index()
    counts["name"] = counts["code"].map(name_of)
    counts["first"] = counts["part"] != "all"
    ordered = counts.sort_values(
        ["first", "part", "pairs", "code"], ascending=[True, True, False, True], ignore_index=True
    )
    return ordered[["part", "code", "name", "pairs"]]


def hold_country_table(table: pd.DataFrame, path: Path, may_write: bool) -> Path:
    """Write the committed table of countries, or hold a new one to the one that is there.

    Args:
        table: what `country_table` returned.
        path: `data-lists/<dataset>/countries.csv`.
        may_write: whether a table that is not there may be written.

    Returns:
        The path.

    Raises:
        FileNotFoundError: when there is none and it may not be written.
        ValueError: when the one that is there differs; the first rows that differ are named.
    """
    text = table.to_csv(index=False, lineterminator="\n")
    if path.exists():
        _hold_text(text, path)
        return path
    if not may_write:
        msg = (
            f"Expected the table of countries at {path}, which pins what others are mapped to. "
            "Run 2-data-processing/2-enrich/countries with may_write_lists=True to write it"
        )
        raise FileNotFoundError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return path


def read_country_table(path: Path, part: str = "all") -> pd.Series:
    """Pairs by country code in one part of a committed table of countries.

    Raises:
        FileNotFoundError: when there is no table.
        ValueError: when the table has no such part.
    """
    if not path.exists():
        msg = f"Expected the table of countries at {path}: 2-data-processing/2-enrich/countries"
        msg += " writes it, with may_write_lists=True"
        raise FileNotFoundError(msg)
    table = pd.read_csv(path, keep_default_na=False)  # "NA" is Namibia
    parts = sorted(set(table["part"]))
    if part not in parts:
        msg = f"Expected one of the parts {parts} of {path}, but got {part!r}"
        raise ValueError(msg)
    return table[table["part"] == part].set_index("code")["pairs"].astype(int)


def write_whole(path: Path, text: str) -> None:
    """Write a text file under a temporary name beside it, and give it its name when it is whole."""
    # One name for every run: what a killed one left is written over by the next.
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8", newline="")
    temporary.replace(path)


def _hold_text(text: str, path: Path) -> None:
    new, old = text.splitlines(), path.read_text(encoding="utf-8").splitlines()
    longest = max(len(new), len(old))
    rows = zip(
        old + ["(no such row)"] * (longest - len(old)),
        new + ["(no such row)"] * (longest - len(new)),
        strict=True,
    )
    differing = [(n, was, now) for n, (was, now) in enumerate(rows, 1) if was != now]
    if differing:
        first = "\n".join(
            f"  line {n}: expected {was!r}, found {now!r}" for n, was, now in differing[:5]
        )
        msg = (
            f"{path} pins other numbers of pairs ({len(differing)} rows differ):\n{first}\n"
            "The raw pairs or the settings changed. If that is meant, remove the file and run "
            "with may_write_lists=True"
        )
        raise ValueError(msg)
