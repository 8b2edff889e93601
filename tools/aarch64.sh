#!/usr/bin/env bash
# Build the C core for Linux aarch64 with a cross compiler, and run programs there under QEMU's user mode, on another machine.
#
#   bash tools/aarch64.sh             the constructs against coverage.py's C tracer; an engine's and a sampler's tests: 5 minutes
#   bash tools/aarch64.sh --quick     a selection of them: a minute
#   bash tools/aarch64.sh tests/engines/test_contexts.py     others; anything that pytest takes
#
# Only the measured programs run there; what tests and analyzes is PYTHON, a CPython 3.14 of this machine with footfall and what
# its tests need (.venv/bin/python if not set). AARCH64 is a directory with bin/python3.14, an aarch64 CPython that starts like
# any other program (by qemu-user-static and binfmt_misc), and its headers in include/: ~/.interpreters-aarch64 if not set.
# Also needed: aarch64-linux-gnu-gcc. Where one of these is missing, it says so and ends with 3. ENVIRONMENT is where it
# installs: build/aarch64 if not set. JOBS is how many processes test.
set -eu
cd "$(dirname "$0")/.."
root=${AARCH64:-$HOME/.interpreters-aarch64}
emulated=$root/bin/python3.14
python=${PYTHON:-.venv/bin/python}
environment=${ENVIRONMENT:-$PWD/build/aarch64}
for needed in "$emulated" "$python" aarch64-linux-gnu-gcc; do
    if ! command -v "$needed" >/dev/null; then echo "aarch64: not tried, there is no $needed"; exit 3; fi
done
if ! "$emulated" -c "" 2>/dev/null; then echo "aarch64: not tried, $emulated does not start here"; exit 3; fi
if ! "$python" -c "import sys; sys.exit(sys.version_info[:2] != (3, 14))"; then echo "aarch64: not tried, $python is no 3.14"; exit 3; fi

# An environment, but one whose making starts no slow Python
site=$environment/lib/python3.14/site-packages
rm -rf "$environment"
mkdir -p "$environment/bin" "$site"
ln -s "$emulated" "$environment/bin/python"
printf 'home = %s\n' "$root/bin" >"$environment/pyvenv.cfg"
cp -r src/footfall footfall.pth "$site"
optimize=(-O2)
if [ "${1-}" = --quick ]; then optimize=(-O1 -Wno-maybe-uninitialized); fi # a third of the time; it warns of what -O2 sees through
compile() { # EXTENSION SOURCES...
    aarch64-linux-gnu-gcc -shared -fPIC -std=c11 "${optimize[@]}" -fvisibility=hidden -Wall -Wextra -Wshadow -Werror -D_GNU_SOURCE=1 \
        -Inative "-I$root/include/python3.14" "-I$root/include" "${@:2}" -o "$site/footfall/$1.cpython-314-aarch64-linux-gnu.so"
}
mapfile -t core < <(find native -name '*.c' -not -path 'native/decode/*')
mapfile -t decode < <(find native/decode -name '*.c')
compile _decode "${decode[@]}"
compile _core "${core[@]}"

export FOOTFALL_TEST_PYTHON=$environment/bin/python
case ${1-} in
    "") names=()
        tests=(tests/engines/test_behaviour.py tests/engines/test_monitoring.py tests/sampler/test_other_processor.py
            -k "not settrace and not pure and not pytest") ;;
    --quick)
        names=("for " except finally match)
        tests=(tests/engines/test_behaviour.py tests/sampler/test_other_processor.py
            -k "test_times_of or (not settrace and not pure and (generators or exceptions or child or SIGKILL))") ;;
    *) exec "$python" -m pytest -q -p no:cacheprovider -n "${JOBS:-2}" "$@" ;;
esac
"$python" -W ignore tests/support/exact.py --under "$FOOTFALL_TEST_PYTHON" --constructs "${names[@]}" --jobs 1
"$python" -m pytest -q -p no:cacheprovider -n "${JOBS:-2}" "${tests[@]}"
