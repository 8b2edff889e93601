"""Standard library modules under their own tests: footfall's coverage against that of coverage.py's C tracer.

    python bench/modules.py                            this interpreter
    python bench/modules.py --python python3.14 --tests /usr/lib/python3.13/test    where it has no tests of its own
    python bench/modules.py --test json --test ast

The library and its tests are copied into a work directory, and a program loads them from there, anew, after both
tools have begun: what a tool imports for itself is not among the files compared. Each batch of tests runs under
`footfall run` and under `COVERAGE_CORE=ctrace coverage run --branch`, and what `footfall json` says is held to what
`coverage json` says: lines executed, missing and excluded, branches taken and missing. Where they differ the C tracer
runs once more: what its two runs do not agree on is unstable by itself and told apart. The interpreter needs footfall
and coverage.py. Tests that fail are no matter: they run their lines in all runs. Exit status 1 when a file differs
or a batch was left out.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from differences import differences, ranges
from projects import clean_environment

# Quick ones, of modules in Python, that neither start many processes nor wait, nor take the trace function away (the C
# tracer's: bdb, doctest, trace). Not every version has every one.
TESTS = """
    abc argparse ast base64 calendar cmd code codeop collections colorsys configparser contextlib
    contextlib_async copy copyreg csv dataclasses difflib dis enum filecmp fileinput fnmatch fractions functools
    genericpath getopt getpass gettext glob graphlib hashlib heapq hmac html htmlparser http_cookies http_cookiejar
    json keyword linecache minidom pulldom sax xml_dom_minicompat xml_etree xmlrpc urlparse urllib urllib_response
    robotparser wsgiref unittest.test_case unittest.test_loader unittest.test_result unittest.test_suite
    unittest.test_skipping unittest.test_async_case unittest.testmock.testmock asyncio.test_queues asyncio.test_locks
    asyncio.test_futures asyncio.test_taskgroups asyncio.test_timeouts asyncio.test_streams asyncio.test_protocols
    asyncio.test_transports asyncio.test_pep492 asyncio.test_runners email.test_email email.test_message
    email.test_headerregistry email.test_policy email.test_generator email.test_parser email.test_contentmanager
    email.test_utils importlib.test_util importlib.test_abc importlib.test_metadata_api importlib.test_files
    importlib.resources.test_resource importlib.resources.test_files importlib.resources.test_path
    lib2to3.test_fixers lib2to3.test_parser lib2to3.test_pytree lib2to3.test_util zoneinfo tomllib
    ctypes.test_structures
    inspect listcomps locale mimetypes modulefinder netrc ntpath nturl2path numeric_tower opcodes operator optparse
    ordered_dict patma pathlib pickletools pkgutil plistlib pprint pstats pyclbr queue quopri re reprlib rlcompleter
    sched secrets shelve shlex shutil sqlite3.test_dbapi sqlite3.test_types stat string stringprep strptime symtable
    tabnanny tempfile textwrap timeit traceback types typing uuid wave weakref weakset with zipapp dbm_dumb
    pydoc concurrent_futures.test_future pyrepl.test_reader pyrepl.test_input
    pyrepl.test_keymap pyrepl.test_utils turtle sysconfig platform py_compile webbrowser
    imghdr sndhdr sunau chunk aifc cgi pipes uu xdrlib telnetlib userdict userlist userstring decorators generators
    exception_group except_star named_expressions asyncgen annotationlib type_params type_aliases
    future_stmt.test_future ipaddress gzip lzma bz2 zipfile zipimport mailbox tokenize ftplib poplib
""".split()

# What every program has loaded before it starts, and what the program that loads the rest stands on: it stays.
_KEPT = """
    abc builtins codecs encodings encodings.utf_8 importlib importlib.machinery importlib.util io marshal ntpath os
    posix posixpath site stat sys time types warnings zipimport genericpath threading _weakrefset weakref atexit signal
    locale
""".split()

_PROGRAM = """\
import importlib
import sys
tracer = sys.gettrace()
library, results, first, *names = sys.argv[1:]
kept = {{*{kept!r}, "__main__", "sitecustomize", "usercustomize", "footfall", "coverage"}}
# What one tool has imported may have left its mark (on C types, say): so both import it first.
for name in [*{kept!r}, *first.split(",")]:
    importlib.import_module(name)
for name in list(sys.modules):
    top = name.partition(".")[0]
    if top not in kept and (getattr(sys.modules[name], "__file__", "") or "").endswith(".py"):
        del sys.modules[name]
sys.path[:0] = [library]
import random
random.seed(0)
import unittest
suite = unittest.TestSuite()
def tests_of(each):
    return [each] if isinstance(each, unittest.TestCase) else [test for inner in each for test in tests_of(inner)]
for name in names:
    try:
        module = "test.test_" + name
        importlib.import_module(module)
        tests = tests_of(unittest.defaultTestLoader.loadTestsFromName(module))
        # How deep a recursion gets is the tool's own: tracing takes some of the stack, or does not end in time.
        suite.addTests([test for test in tests if "recurs" not in test.id().lower()])
    except (Exception, unittest.SkipTest) as error:
        print("cannot load", name, repr(error)[:150], file=sys.stderr)
with open(results, "w", buffering=1) as stream:
    outcome = unittest.TextTestRunner(stream, verbosity=2).run(suite)
    print(outcome.testsRun, len(outcome.errors), len(outcome.failures), len(outcome.skipped),
          *([] if sys.gettrace() is tracer else ["TRACE FUNCTION LOST"]), file=stream)
"""

_BATCH = 20
_SECONDS = 200

Files = dict[str, dict[str, object]]


def main() -> int:
    """Compare; print a line for each batch, the differences and the totals; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the interpreter (default: this one)")
    parser.add_argument("--tests", help="the directory `test` of the library, where the interpreter has none")
    parser.add_argument(
        "--test", action="append", help="NAME of test.test_NAME; repeatable; default: a list of quick ones"
    )
    parser.add_argument("--batch", type=int, default=_BATCH, help=f"how many run in one process (default: {_BATCH})")
    parser.add_argument("--with-tests", action="store_true", help="measure and compare the tests' own files too (slow)")
    parser.add_argument("--work", help="directory for the copy and the data, kept (default: a temporary one, removed)")
    options = parser.parse_args()
    omitted = [] if options.with_tests else ["*/library/test/*", "*/tests/*", "*/unittest/test/*"]
    names = [name.removeprefix("test_") for name in options.test or TESTS]
    batches = [names[start : start + options.batch] for start in range(0, len(names), options.batch)]
    if options.work:
        return _compare(options.python, options.tests, pathlib.Path(options.work).resolve(), omitted, batches)
    with tempfile.TemporaryDirectory(prefix="footfall-modules-", ignore_cleanup_errors=True) as work:
        return _compare(options.python, options.tests, pathlib.Path(work).resolve(), omitted, batches)


def _compare(python: str, tests: str | None, work: pathlib.Path, omitted: list[str], batches: list[list[str]]) -> int:
    work.mkdir(parents=True, exist_ok=True)
    library = _copy_library(python, tests, work)
    first = _imported_by_tools(python, work)
    compared: set[str] = set()
    differing: set[str] = set()
    unstable_count = 0
    left_out: list[str] = []
    for number, batch in enumerate(batches, 1):
        print(f"{number} of {len(batches)}: {' '.join(batch)}", flush=True)
        ours = _run(python, "footfall", library, work, first, omitted, batch)
        theirs = _run(python, "ctrace", library, work, first, omitted, batch)
        if ours is None or theirs is None:
            print("  left out", flush=True)
            left_out += batch
            continue
        # Files that were never entered have nothing to compare.
        compared |= {file for file, found in theirs.items() if found["executed_lines"]}
        found = differences(ours, theirs)
        again = _run(python, "ctrace", library, work, first, omitted, batch) if found else None
        unstable = {(each.file, each.key) for each in differences(theirs, again)} if again is not None else set()
        for each in found:
            if (each.file, each.key) in unstable:
                unstable_count += 1
                continue
            differing.add(each.file)
            print(f"  {each.file}: {each.key}")
            if each.only_left:
                print(f"    footfall only: {ranges(each.only_left)}")
            if each.only_right:
                print(f"    ctrace only:   {ranges(each.only_right)}")
        print(
            f"  files so far {len(compared)} ({len(_modules(compared))} modules), differ {len(differing)}", flush=True
        )
    if left_out:
        print(f"left out, for a run that did not end well: {' '.join(left_out)}")
    modules = _modules(compared)
    print(f"{python}: files compared {len(compared)} ({len(modules)} modules, the rest their tests), ", end="")
    print(f"differ {len(differing)} (and {unstable_count} differences that two ctrace runs show as well)")
    return 1 if differing or left_out else 0


def _modules(files: set[str]) -> set[str]:
    return {file for file in files if not {"test", "tests"} & set(pathlib.PurePath(file).parts)}


def _copy_library(python: str, tests: str | None, work: pathlib.Path) -> pathlib.Path:
    library = work / "library"
    if library.exists():
        return library
    show = "import os; print(os.path.dirname(os.__file__))"
    found = subprocess.run([python, "-c", show], env=clean_environment(), text=True, capture_output=True, check=True)
    left_out = ("site-packages", "dist-packages", "__pycache__", "lib-dynload", "idlelib", "test", "sitecustomize.py")
    source = pathlib.Path(found.stdout.strip())
    shutil.copytree(source, library, ignore=shutil.ignore_patterns(*left_out))
    skipped = shutil.ignore_patterns("__pycache__")
    # The interpreter's own test.support goes over that of another version's tests.
    for directory in ([tests] if tests else []) + [str(source / "test")]:
        shutil.copytree(directory, library / "test", ignore=skipped, symlinks=True, dirs_exist_ok=True)
    return library


def _imported_by_tools(python: str, work: pathlib.Path) -> list[str]:
    """The standard library's modules that an empty program finds loaded under one tool or the other."""
    program = work / "empty.py"
    program.write_text(
        "import sys\nfor name, module in sorted(sys.modules.items()):\n"
        "    if name.partition('.')[0] in sys.stdlib_module_names and getattr(module, '__spec__', None):\n"
        "        print(name)\n"
    )
    names: set[str] = set()
    for tool in (["coverage", "run"], ["footfall", "run", "--quiet", "--no-profile", python]):
        command = [python, "-m", *tool[:2], f"--data-file={work / 'data'}", *tool[2:], str(program)]
        done = subprocess.run(command, env=clean_environment(), cwd=work, text=True, capture_output=True, check=True)
        names |= set(done.stdout.split())
    return sorted(names)


def _run(
    python: str,
    mode: str,
    library: pathlib.Path,
    work: pathlib.Path,
    first: list[str],
    omitted: list[str],
    names: list[str],
) -> Files | None:
    """Run tests in one process; return the files of the tool's JSON report, or None."""
    program, data, report, results = (work / name for name in ("program.py", "data", "report.json", f"results-{mode}"))
    program.write_text(_PROGRAM.format(kept=_KEPT), encoding="utf-8")
    for path in (data, report, results):
        path.unlink(missing_ok=True)
    if mode == "footfall":
        run, tool = [python, "-m", "footfall", "run", "--quiet", "--no-profile"], "footfall"
        command = [python, str(program)]
    else:
        run, tool = [python, "-m", "coverage", "run", "--branch"], "coverage"
        command = [str(program)]
    run += [f"--include={library}/*", f"--data-file={data}"]
    run += [f"--omit={','.join(omitted)}"] if omitted else []
    environment = clean_environment(PYTHON_COLORS="0", **({"COVERAGE_CORE": "ctrace"} if mode == "ctrace" else {}))
    scratch = tempfile.mkdtemp(dir=work)
    try:
        done = subprocess.run(
            [*run, *command, str(library), str(results), ",".join(first), *names],
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        print(f"  {mode}: did not end in time; {_last_line(results)}", flush=True)
        return None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"  {mode}: status {done.returncode}; run, errors, failures, skipped: {_last_line(results)}", flush=True)
    if mode == "footfall":
        for line in done.stderr.splitlines():
            if line.startswith("cannot load"):
                print(f"    {line}")
    if done.returncode < 0 or "LOST" in _last_line(results):
        print(f"  {mode}: its data cannot be held to anything; {done.stderr[-600:]}")
        return None
    told = subprocess.run(
        [python, "-m", tool, "json", "-q", "-i", f"--data-file={data}", "-o", str(report)],
        cwd=work,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    if not report.exists():
        print(done.stderr[-600:], told.stderr[-600:])
        return None
    files: Files = json.loads(report.read_text(encoding="utf-8"))["files"]
    return files


def _last_line(path: pathlib.Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return lines[-1] if lines else "nothing"


if __name__ == "__main__":
    sys.exit(main())
