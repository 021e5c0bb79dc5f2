#!/bin/sh
# Prepares .venv from poetry.lock: every package at the locked version and hash, then this project.
# Poetry reads the lock (no network), uv installs (many times faster than pip, and hard-linked from
# its cache). Both live in .tools, apart from the project's own packages.
set -eu
cd "$(dirname "$0")/.."

POETRY=2.5.1
EXPORT=1.10.0
UV=0.13.8

usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

python=${PYTHON:-}
if [ -n "$python" ]; then
    usable "$python" || { echo "error: PYTHON=$python: expected Python 3.11 to 3.13 with the module venv" >&2; exit 1; }
else
    for candidate in python3 python3.13 python3.12 python3.11; do
        if usable "$candidate"; then python=$candidate; break; fi
    done
    if [ -z "$python" ]; then
        echo "error: expected Python 3.11 to 3.13 with the module venv (Debian: apt-get install python3-venv)," >&2
        echo "       found $(python3 --version 2>&1). Install one, or name it: make PYTHON=/path/to/python" >&2
        exit 1
    fi
fi

echo "Preparing .venv with $("$python" --version) (once; a few minutes, about 7 GB with the GPU libraries)"
tools="$POETRY $EXPORT $UV $("$python" --version)"
if [ "$(cat .tools/.versions 2>/dev/null || true)" != "$tools" ]; then
    rm -rf .tools
    "$python" -m venv .tools
    .tools/bin/python -m pip install --quiet --disable-pip-version-check \
        "poetry==$POETRY" "poetry-plugin-export==$EXPORT" "uv==$UV"
    echo "$tools" > .tools/.versions
fi

.tools/bin/poetry export --quiet --with dev --output .tools/requirements.txt
"$python" -m venv --clear --without-pip .venv
.tools/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes .tools/requirements.txt
.tools/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
.tools/bin/uv pip check --quiet --python .venv/bin/python
touch .venv/.ready
