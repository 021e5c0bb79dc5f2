"""Runs a converted notebook: `python -m shared.colab.script SCRIPT`, alone or under torchrun.

The script runs inside this module, not as the main file: worker processes that import the main
module anew (multiprocessing's spawn) then import this one, and do not run the notebook again.
"""

import sys
from pathlib import Path


def main(path: str) -> None:
    """Run a script as `__main__`."""
    code = compile(Path(path).read_text(encoding="utf-8"), path, "exec")
    exec(code, {"__name__": "__main__", "__file__": path})


if __name__ == "__main__":
    main(sys.argv[1])
