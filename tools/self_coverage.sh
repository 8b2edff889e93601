#!/usr/bin/env bash
# Measure footfall by footfall: tests run under it, and the share of its own code that they run is printed last.
#
#   bash tools/self_coverage.sh tests/reports/test_reports.py ...
#
# FOOTFALL is the command (footfall if not set). The part that runs inside a measured process (observe) cannot see itself
# start, so its number is lower than what tests reach.
set -eu
cd "$(dirname "$0")/.."
footfall=$(realpath "$(command -v "${FOOTFALL:-footfall}")")
data=build/self-coverage/.coverage
mkdir -p build/self-coverage
status=0
"$footfall" run -q --no-profile --source footfall --data-file $data \
    "$(dirname "$footfall")/python" -m pytest -q -p no:cacheprovider "$@" || status=$?
"$footfall" report --data-file $data
exit $status
