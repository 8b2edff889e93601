#!/usr/bin/env bash
# Check a build of CPython without the GIL: coverage against coverage.py's C tracer, one thread and many in parallel, and the
# tests of the engines without the C core.
#
#   bash tools/free_threaded.sh PYTHON
#
# PROGRAMS is how many random programs (300 if not set), UV is uv (the one on the path). ENVIRONMENT is where it installs:
# build/free-threaded if not set.
set -eu
cd "$(dirname "$0")/.."
environment=${ENVIRONMENT:-build/free-threaded}
uv=${UV:-uv}
programs=${PROGRAMS:-300}
if [ ! -x "$environment/bin/python" ]; then
    "$uv" venv -q -p "$1" "$environment"
    "$uv" pip install -q -p "$environment/bin/python" pytest pytest-timeout pytest-xdist 'hypothesis<6.156' setuptools
    # compiled here: its wheel for every Python has no C tracer
    "$uv" pip install -q -p "$environment/bin/python" --no-binary coverage "$(sed -n 's/^ *"\(coverage==[0-9.]*\)",$/\1/p' pyproject.toml)"
fi
"$uv" pip install -q -p "$environment/bin/python" --reinstall-package footfall .
"$environment/bin/footfall" run -q "$environment/bin/python" -c 'import sys; assert not sys._is_gil_enabled(), "the GIL is on"'
"$environment/bin/python" tests/support/exact.py --constructs --jobs "${JOBS:-2}"
"$environment/bin/python" tests/support/exact.py --programs "$programs" --jobs "${JOBS:-2}"
"$environment/bin/python" tests/support/exact.py --programs "$((programs / 3))" --threads 16 --jobs "${JOBS:-2}"
"$environment/bin/python" -m pytest -q -n "${JOBS:-2}" tests/engines -k probes_pure
