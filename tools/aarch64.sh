#!/usr/bin/env bash
# Build the C code for Linux aarch64 with a cross compiler, and run tests there under QEMU's user mode, on another machine.
#
#   bash tools/aarch64.sh                          the constructs against coverage.py's C tracer, and the tests of an engine
#   bash tools/aarch64.sh tests/sampler            others; anything that pytest takes
#
# AARCH64 is a directory with bin/python3.14, an aarch64 CPython that starts like any other program (by qemu-user-static and
# binfmt_misc), and its headers in include/: ~/.interpreters-aarch64 if not set. Also needed: uv, aarch64-linux-gnu-gcc. Where
# one of these is missing, it says so and ends with 3. ENVIRONMENT is where it installs: build/aarch64 if not set.
set -eu
cd "$(dirname "$0")/.."
root=${AARCH64:-$HOME/.interpreters-aarch64}
python=$root/bin/python3.14
environment=${ENVIRONMENT:-build/aarch64}
uv=${UV:-uv}
for needed in "$python" "$uv" aarch64-linux-gnu-gcc; do
    if ! command -v "$needed" >/dev/null; then echo "aarch64: not tried, there is no $needed"; exit 3; fi
done
if ! "$python" -c "" 2>/dev/null; then echo "aarch64: not tried, $python does not start here"; exit 3; fi

if [ ! -x "$environment/bin/python" ]; then
    "$uv" venv -q -p "$python" "$environment"
    "$uv" pip install -q -p "$environment/bin/python" click rich textual pyelftools pytest pytest-timeout pytest-asyncio hypothesis
    # coverage.py's C tracer is the truth here as well; its wheels hold one for aarch64
    "$uv" pip install -q -p "$environment/bin/python" "$(sed -n 's/^ *"\(coverage==[0-9.]*\)",$/\1/p' pyproject.toml)"
fi
site=$environment/lib/python3.14/site-packages
rm -rf "$site/footfall"
cp -r src/footfall footfall.pth "$site"
compile() { # EXTENSION SOURCES...
    aarch64-linux-gnu-gcc -shared -fPIC -std=c11 -O2 -fvisibility=hidden -Wall -Wextra -Wshadow -Werror -D_GNU_SOURCE=1 \
        -Inative "-I$root/include/python3.14" "-I$root/include" "${@:2}" -o "$site/footfall/$1.cpython-314-aarch64-linux-gnu.so"
}
mapfile -t core < <(find native -name '*.c' -not -path 'native/decode/*')
mapfile -t decode < <(find native/decode -name '*.c')
compile _core "${core[@]}"
compile _decode "${decode[@]}"

if [ $# -gt 0 ]; then
    exec "$environment/bin/python" -m pytest -q -p no:cacheprovider "$@"
fi
"$environment/bin/python" tests/support/exact.py --constructs --jobs 1
"$environment/bin/python" -m pytest -q -p no:cacheprovider tests/engines/test_monitoring.py
