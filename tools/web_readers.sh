#!/usr/bin/env bash
# Give our files to readers of npm: lcov-parse (Coverage Gutters), cobertura-parse, the Firefox Profiler's command line,
# speedscope, and gitlab-ci-local, which runs a job of .gitlab-ci.yml and finds the total in its log.
# FOOTFALL is the command to take the files from (footfall); needs Node 20 or later (gitlab-ci-local: 22, and rsync) and npm;
# speedscope needs Chromium.
# Prints what each reader says.
set -eu
footfall=$(command -v "${FOOTFALL:-footfall}")
packages=$PWD/build/web-readers
docs=$PWD/docs/compatibility.md
mkdir -p "$packages"
[ -d "$packages/node_modules/speedscope" ] ||
    npm install --silent --no-audit --no-fund --prefix "$packages" lcov-parse cobertura-parse @firefox-devtools/profiler-cli \
        gitlab-ci-local speedscope
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > main.py <<'PY'
import time


def busy(seconds, log=None):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100))
        max(range(100))
    if log:
        log(end)


busy(1)
PY
"$footfall" run -q --branch main.py
"$footfall" lcov -q -o run.lcov
"$footfall" xml -q -o run.xml
"$footfall" export -f gecko -o run.gecko.json
"$footfall" export -o run.speedscope.json

for reader in "lcov-parse'), 'run.lcov'" "cobertura-parse').parseFile, 'run.xml'"; do
    said=$(NODE_PATH=$packages/node_modules node -e "
        const [read, file] = [require('$reader];
        (read.parse || read)(file, (error, files) => {
            if (error) throw new Error(error);
            for (const each of files) console.log(each.file, each.lines.hit + '/' + each.lines.found);
        });")
    echo "${reader%%\'*}: $said"
    [ "$said" = "main.py 8/9" ]
done

export HOME=$folder # where it keeps its daemon's socket
profiler="$packages/node_modules/.bin/profiler-cli"
"$profiler" load run.gecko.json || sleep 5 # its daemon may take longer than it waits
said=$("$profiler" thread samples-top-down)
"$profiler" stop > build.log
echo "$said"
[ "$(grep -c 'main.py!busy' <<< "$said")" = 1 ] # one function, whatever lines of it ran

if chromium=$(command -v chromium || command -v chromium-browser); then
    # as its command line opens a file: the page reads a script that has it
    printf 'speedscope.loadFileFromBase64("run.speedscope.json", "%s")' "$(base64 -w 0 run.speedscope.json)" > load.js
    page="file://$packages/node_modules/speedscope/dist/release/index.html"
    "$chromium" --headless --no-sandbox --disable-gpu --virtual-time-budget=20000 --dump-dom \
        "$page#localProfilePath=$folder/load.js&view=sandwich" > page.html 2> build.log
    said=$(sed 's/<[^>]*>/ /g' page.html)
    echo "speedscope: $(grep -o '<title>[^<]*' page.html)"
    grep -q 'busy' <<< "$said"
else
    echo "speedscope: not run, it needs Chromium"
fi

if [ "$(node -p 'parseInt(process.versions.node)')" -lt 22 ] || ! command -v rsync > build.log; then
    echo "gitlab-ci-local: not run, it needs Node 22 and rsync"
    exit
fi
mkdir job
cd job
cp ../main.py .
{
    printf 'test:\n  script: ["%s run -q --branch main.py", "%s report", "%s xml"]\n' "$footfall" "$footfall" "$footfall"
    sed -n "s/^coverage: '/  &/p" "$docs"
    printf '  artifacts:\n    paths: [coverage.xml]\n    reports:\n      coverage_report: {coverage_format: cobertura, path: coverage.xml}\n'
} > .gitlab-ci.yml
git init -q
git add .
git -c user.name=a -c user.email=a@example.org commit -qm one
git remote add origin git@example.org:a/b.git
said=$("$packages/node_modules/.bin/gitlab-ci-local" --shell-executor-no-image --no-color test 2> ../build.log)
grep 'coverage' <<< "$said"
grep -q 'PASS  test 85% coverage' <<< "$said"
[ "$(find . -path '*artifacts*' -name coverage.xml | wc -l)" = 1 ]
