#!/usr/bin/env bash
# Run the tests of the C code with it compiled for AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   bash tools/sanitize.sh                       the files below
#   bash tools/sanitize.sh tests/attach/test_dump.py    others; anything that pytest takes
#
# PYTHON is the interpreter (python3 if not set). Makes an environment of its own in build/sanitize. The interpreter is not
# compiled so: libasan is preloaded, leaks (the interpreter's own) are not reported, and it takes its memory from malloc.
# Programs that preload something themselves, or that are other than Python, run as ever.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
environment=build/sanitize
tests=("$@")
if [ ${#tests[@]} -eq 0 ]; then
    tests=(tests/unit/test_decode.py tests/engines/test_monitoring.py tests/engines/test_probes_run.py tests/engines/test_settrace.py tests/engines/test_contexts.py
        tests/engines/test_capture.py tests/sampler/test_sampler.py tests/data/test_damaged_records.py)
fi

[ -x $environment/bin/python ] || "$python" -m venv $environment
FOOTFALL_SANITIZE=address,undefined $environment/bin/python -m pip install -q --force-reinstall --no-cache-dir '.[test]'

LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
    PYTHONMALLOC=malloc \
    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
    $environment/bin/python -m pytest -q "${tests[@]}"
