#!/usr/bin/env bash
# Check footfall without its C core, on any system: a project's tests are measured, coverage is compared with coverage.py's
# C tracer, and the tests run that ask nothing of the system.
#
#   bash tools/python_alone.sh PYTHON
#
# PYTHON is a version or a path, as uv takes it; PROGRAMS how many random programs (100 if not set), UV uv (the one on the
# path). ENVIRONMENT is where it installs: build/python-alone if not set.
set -eu
cd "$(dirname "$0")/.."
environment=${ENVIRONMENT:-build/python-alone}
uv=${UV:-uv}
export FOOTFALL_CORE=none
if [ ! -d "$environment" ]; then
    "$uv" venv -q -p "$1" "$environment"
    "$uv" pip install -q -p "$environment" pytest pytest-timeout 'hypothesis<6.156' \
        "$(sed -n 's/^ *"\(coverage==[0-9.]*\)",$/\1/p' pyproject.toml)"
fi
"$uv" pip install -q -p "$environment" --reinstall-package footfall .
if [ -d "$environment/Scripts" ]; then bin=$PWD/$environment/Scripts; else bin=$PWD/$environment/bin; fi
(
    cd examples/ledger
    "$bin/footfall" debug sys
    "$bin/footfall" run -m pytest -q
    "$bin/footfall" report --show-missing
    "$bin/footfall" html -d "$bin/../ledger"
)
"$bin/python" tests/support/exact.py --constructs --jobs 2
"$bin/python" tests/support/exact.py --programs "${PROGRAMS:-100}" --jobs 2
"$bin/python" -m pytest -q tests/unit/test_windows_paths.py tests/unit/profile tests/unit/source tests/unit/test_changes.py tests/unit/test_config.py
