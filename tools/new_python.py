"""Make footfall know a version of Python: write what can be generated, and list what a person must look at.

    python tools/new_python.py 3.16 --python /path/to/python3.16 --previous /path/to/python3.15

The interpreter (default: `python3.16` on PATH; for PyPy `pypy3.11`) needs its C headers, and there must be a C
compiler. With `--check` nothing is written; the exit status is 1 where something would be.
docs/contributing/new-python.md goes through the rest.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from version_files import LAYOUTS, PYTHONS, ROOT, render  # noqa: E402

_NAMES_VERSIONS = (
    ".ci/run", "pyproject.toml", "tests/support/interpreters.py", "README.md", "docs/attach.md", "docs/architecture.md",
    "docs/tutorial.md", "docs/api.md", "docs/pytest.md", "docs/reports.md",
)  # fmt: skip


def read_facts(python):
    """Ask an interpreter. Raises CalledProcessError, with what it said on stderr."""
    command = [python, "-E", str(ROOT / "tools" / "python_facts.py")]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    """Write the files, say which ones changed, and print the list."""
    arguments = _parse()
    facts = read_facts(arguments.python)
    found = ".".join(map(str, facts["version"]))
    if found != arguments.version.removeprefix("pypy"):
        sys.exit(f"{arguments.python} is {facts['implementation']} {found}, not {arguments.version}")
    try:
        texts = render(facts)
    except LookupError as error:
        sys.exit(f"{arguments.python}: {error.args[0]}")
    changed = []
    for name, text in sorted(texts.items()):
        path = ROOT / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        changed.append(name)
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
    for name in changed:
        print(f"{'differs' if arguments.check else 'written'}: {name}")
    if not changed:
        print("nothing to write: all generated data is there")
    if arguments.check:
        sys.exit(1 if changed else 0)
    print("\nLook at (docs/contributing/new-python.md says how):")
    for item in [*_differences(facts, arguments.previous), *_decisions(facts), *_mentions(found)]:
        print(f"- {item}")


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", help="as in 3.16, or pypy3.11")
    parser.add_argument("--python", help="the interpreter")
    parser.add_argument("--previous", help="that of the version before, to compare them")
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    name = arguments.version if arguments.version.startswith("pypy") else f"python{arguments.version}"
    arguments.python = arguments.python or shutil.which(name)
    if arguments.python is None:
        parser.error(f"no {name} on PATH: name it with --python")
    return arguments


def _differences(facts, previous):
    """What came and went since the version before."""
    if previous is None:
        return ["no --previous was named: instructions, events and published offsets were not compared"]
    old = read_facts(previous)
    found = []
    for what, where in (
        ("opcodes", "analyze/, native/decode/ and native/engines/ name instructions: grep for each that is gone"),
        ("events", "observe/capture/monitoring.py and native/engines/monitoring/events.c"),
        ("debug_words", "native/walk/layouts/layout.h and native/walk/offsets.c"),
    ):
        before, after = set(old.get(what, ())), set(facts.get(what, ()))
        if before != after:
            new, gone = (" ".join(sorted(names)) or "nothing" for names in (after - before, before - after))
            found.append(f"{what}: new {new}; gone {gone}. {where}")
    values, olds = _scalars(facts), _scalars(old)
    found += [
        f"{name} is {value} and was {olds.get(name)}: native/walk/"
        for name, value in values.items()
        if value != olds.get(name)
    ]
    return found or ["instructions, events and published offsets have the names of the version before"]


def _scalars(facts):
    depth = {"awaited_depth": facts["awaited_depth"]} if "awaited_depth" in facts else {}
    return {**facts.get("constants", {}), **depth}


def _decisions(facts):
    owners = {name: facts["constants"][name] for name in facts.get("constants", ()) if name.startswith("owner_")}
    if owners and owners != {"owner_thread": 0, "owner_generator": 1, "owner_frame_object": 2}:
        yield f"the owners of frames have other numbers ({owners}): native/walk/fields.h"
    yield f"{PYTHONS}: the engines of the new row are those of the row before; each fact below it may have an end now"
    yield "native/compat/versions.h: each fact may have an end now"
    yield f"{LAYOUTS}/: compare the new file with the one before; the sampler's tests show what is wrong"
    yield "coverage: `python tests/support/exact.py --constructs`, then `--programs 5000`; what differs is in analyze/"


def _mentions(version):
    """Files that name the version before, and not this one."""
    major, minor = version.split(".")
    before = f"{major}.{int(minor) - 1}"
    for name in _NAMES_VERSIONS:
        text = (ROOT / name).read_text(encoding="utf-8")
        if re.search(rf"\b{re.escape(before)}\b", text) and not re.search(rf"\b{re.escape(version)}\b", text):
            yield f"{name} names {before} and not {version}"


if __name__ == "__main__":
    main()
