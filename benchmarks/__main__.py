"""`make bench`: runs every benchmark (or those named) and prints one table of ratios."""

import argparse
import importlib
import os
import platform
import sys
from pathlib import Path

from benchmarks.table import Row, as_table


def main() -> int:
    """Run the benchmarks; 1 when a ratio that is asked for is missed."""
    known = sorted(path.stem[6:] for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("topics", nargs="*", help=f"some of: {', '.join(known)}")
    topics = parser.parse_args().topics or known
    unknown = sorted(set(topics) - set(known))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}")
    rows: list[Row] = []
    for topic in topics:
        print(f"measuring: {topic}", file=sys.stderr, flush=True)
        rows.extend(importlib.import_module(f"benchmarks.bench_{topic}").rows())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print(as_table(rows))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
