#!/usr/bin/env bash
# Run the tests of what uses our dependencies (command line, reports, `top`, C stacks) with the oldest versions of them that
# pyproject.toml allows, or the newest.
#
#   bash tools/dependencies.sh lowest-direct    the oldest
#   bash tools/dependencies.sh highest          the newest
#
# PYTHON is the interpreter (python3 if not set), UV is uv (the one on the path). ENVIRONMENT is where it installs:
# build/dependencies if not set. It is made anew.
set -eu
cd "$(dirname "$0")/.."
environment=${ENVIRONMENT:-build/dependencies}
uv=${UV:-uv}
mkdir -p build
"$uv" pip compile -q --resolution "$1" -p "${PYTHON:-python3}" pyproject.toml -o build/dependencies.txt
"$uv" venv -q --clear -p "${PYTHON:-python3}" "$environment"
"$uv" pip install -q -p "$environment/bin/python" -c build/dependencies.txt pip '.[test]'
grep -o '^[a-z-]*==.*' build/dependencies.txt
"$environment/bin/python" -m pytest -q -n "${JOBS:-auto}" tests/reports tests/attach/test_top.py tests/processes/test_cli_run.py \
    tests/sampler/test_native_frames.py
