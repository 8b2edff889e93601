#!/usr/bin/env bash
# Run the tests of the C code with it compiled for AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   bash tools/sanitize.sh                              the files below
#   bash tools/sanitize.sh tests/attach/test_attach.py  others; anything that pytest takes, with at least one file
#
# PYTHON is the interpreter (python3 if not set). ENVIRONMENT is where footfall is installed so: build/sanitize if not set, made
# when it is not there. The interpreter is not compiled so: libasan is preloaded, leaks (the interpreter's own) are not
# reported, and it takes its memory from malloc. Programs that preload something themselves, or that are other than Python, run
# as ever.
set -eu
cd "$(dirname "$0")/.."
environment=${ENVIRONMENT:-build/sanitize}
tests=("$@")
if [ ${#tests[@]} -eq 0 ]; then
    tests=(tests/unit/bytecode/test_decode.py tests/engines/test_monitoring.py tests/engines/probes/test_probes_run.py tests/engines/test_settrace.py tests/engines/test_contexts.py
        tests/engines/captures/test_capture.py tests/engines/plugins/test_file_tracers.py tests/sampler/test_sampler.py tests/attach/test_dump.py tests/data/test_damaged_records.py)
fi

if [ ! -x "$environment/bin/python" ]; then
    if command -v uv >/dev/null; then # it also makes environments for interpreters that have no ensurepip
        uv venv -q --seed -p "${PYTHON:-python3}" "$environment"
    else
        "${PYTHON:-python3}" -m venv "$environment"
    fi
    "$environment/bin/python" -m pip install -q '.[test]'
fi
# Neither this build nor the next may take over what the other has compiled.
rm -rf build/lib.* build/temp.* build/bdist.*
FOOTFALL_SANITIZE=address,undefined "$environment/bin/python" -m pip install -q --force-reinstall --no-deps --no-cache-dir .
rm -rf build/lib.* build/temp.* build/bdist.*

LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
    PYTHONMALLOC=malloc \
    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
    "$environment/bin/python" -m pytest -q "${tests[@]}"
