#!/usr/bin/env bash
# Measure footfall by footfall: tests run under it, and the share of its own code that they run is printed last.
#
#   bash tools/self_coverage.sh tests/reports/test_reports.py ...
#
# FOOTFALL is the command (footfall if not set). What measures is left out (observe, probes, and the modules in no folder):
# it is loaded before measuring begins.
set -eu
cd "$(dirname "$0")/.."
footfall=$(realpath -s "$(command -v "${FOOTFALL:-footfall}")")
python=$(dirname "$footfall")/python
package=$("$python" -c 'import os, footfall; print(os.path.dirname(footfall.__file__))')
data=build/self-coverage/.coverage
mkdir -p build/self-coverage
status=0
# These two look at what an interpreter loads that is not measured.
"$footfall" run -q --no-profile --source footfall --omit "$package/*.py,$package/observe/*,$package/probes/*" --data-file $data \
    "$python" -m pytest -q -p no:cacheprovider \
    --deselect tests/unit/structure/test_imports.py::test_a_measured_process_loads_no_other_module \
    --deselect tests/processes/test_install.py::test_an_interpreter_that_is_not_measured_imports_nothing_of_ours \
    "$@" || status=$?
"$footfall" report --data-file $data
exit $status
